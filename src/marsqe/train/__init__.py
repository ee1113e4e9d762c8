"""Training (extra ``train``): corpus, degradations, losses, the loop and the validation tables that gate weights."""
