"""Results by the hash of everything that made them: what was computed once is not computed again."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.export.atomic import atomic

RECIPE: Final = 1
"""Raised when a measurement changes, so that older results are no longer taken."""


class Cache:
    """A folder of small JSON files (and label images), named by their key's SHA-256."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def key(self, **facts: Any) -> str:
        """SHA-256 of facts (JSON-ready), order aside."""
        text = json.dumps({"recipe": RECIPE, **facts}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def get(self, key: str) -> dict[str, Any] | None:
        """What was stored; None where there is nothing, or nothing that can be read."""
        with suppress(OSError, ValueError):
            found = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return found
        return None

    def put(self, key: str, value: dict[str, Any]) -> None:
        """Store a result; errors as :func:`marsqe.export.atomic.atomic`."""
        with atomic(self.folder / f"{key}.json") as part:
            part.write_text(json.dumps(value), encoding="utf-8")

    def get_labels(self, key: str) -> NDArray[np.uint8] | None:
        """Labels that were stored, (H, W) uint8; None as for :meth:`get`."""
        with suppress(OSError, ValueError), Image.open(self.folder / f"{key}.png") as image:
            return np.array(image)
        return None

    def put_labels(self, key: str, labels: NDArray[np.uint8]) -> None:
        """Store labels."""
        with atomic(self.folder / f"{key}.png") as part:
            Image.fromarray(labels).save(part, "PNG")
