"""Where other people's decoders are called: they may raise, warn or log anything, and one clear error leaves here."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageFile

from marsqe.errors import ReadError, in_one_line
from marsqe.image import Compression, Pixels, Product

# Warning filters and Pillow's settings belong to the whole process, so only one of our threads decodes at a time.
_ONE_AT_A_TIME = threading.RLock()


@dataclass(frozen=True)
class Decoded:
    """What a decoder hands over: pixels in the frame that the file stores, and the facts of the file."""

    pixels: Pixels
    compression: Compression
    orientation: int = 1
    metadata: dict[str, Any] = field(default_factory=dict)
    product: Product | None = None
    """Identity, where the file itself tells it; else the name does."""


def _drop(record: logging.LogRecord) -> bool:
    return False


@contextmanager
def strict_and_quiet() -> Iterator[None]:
    """Let Pillow refuse truncated files whatever others have set, and keep warnings and tifffile's log to ourselves."""
    logger = logging.getLogger("tifffile")
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lenient, most = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        logger.addFilter(_drop)
        try:
            yield
        finally:
            logger.removeFilter(_drop)
            # pdr lifts the limit of pixels for everybody.
            ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = lenient, most


@contextmanager
def decoding(kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one :class:`ReadError`; our own pass unchanged."""
    with strict_and_quiet():
        try:
            yield
        except ReadError:
            raise
        except MemoryError as error:
            raise ReadError("there is not enough free memory to decode it; close other programs or cut it") from error
        except Exception as error:
            raise ReadError(
                f"its {kind} data cannot be decoded; the file is cut short or damaged: fetch it again "
                f"({in_one_line(error)})"
            ) from error
