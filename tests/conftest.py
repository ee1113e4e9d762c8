"""What all tests share."""

from __future__ import annotations

import os

# Before anything imports torch, Qt or napari: one thread (several wait for each other on busy cores), and no settings
# read from or written to the home of whoever runs the tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ["NAPARI_CONFIG"] = ""
