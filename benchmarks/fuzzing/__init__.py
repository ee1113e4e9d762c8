"""Parts of the fuzzer: seeds, mutations, and the process in which inputs are tried."""
