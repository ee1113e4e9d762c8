"""Command lines, sound and absurd."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from fuzzing.mutate import mutated

_WORDS = (
    "",
    "-1",
    "0",
    "1e9",
    "nan",
    "９",
    "9" * 400,
    "a b",
    "'",
    '"',
    "\n",
    "--",
    "-o",
    "é☃",
    "\udcff",
    "../..",
    "%s",
)
_COMMANDS = (
    ["info", "FILE"],
    ["info", "FILE", "--json"],
    ["compress", "FILE", "-o", "OUT/a.jpg", "--qf", "30"],
    ["compress", "FILE", "-o", "OUT", "--qf", "95", "--subsampling", "4:4:4", "--json"],
    ["judge", "FILE", "--truth", "FILE", "--json"],
    ["verify", "FILE", "FILE", "--json"],
    ["verify", "FILE", "FILE", "--mask", "OUT.png"],
    ["models", "--json"],
    ["enhance", "FILE", "-o", "OUT", "--region", "0", "0", "8", "8", "--device", "cpu"],
)


def command_line(r: random.Random, files: Sequence[bytes]) -> bytes:
    """Arguments as JSON, a zero, and the file that they are about; either may be damaged."""
    words = list(r.choice(_COMMANDS))
    for _unused in range(r.choice((0, 0, 1, 1, 2))):
        at, word = r.randrange(len(words)), r.choice(_WORDS)
        words[at : at + r.randrange(2)] = [word]
    file = mutated(r, "jpeg", files) if r.random() < 0.5 else r.choice(files)
    return json.dumps(words).encode() + b"\0" + file
