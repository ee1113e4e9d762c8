"""The clocks that a training budget may be counted by."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

CLOCKS: Final[dict[str, Callable[[], float]]] = {"wall": time.monotonic, "cpu": time.process_time}
"""Seconds that pass, by name: on the wall, or of processor time in all threads of the trainer.

Processor time is the fair one where others use the machine. It leaves out the processes that make pairs.
"""
