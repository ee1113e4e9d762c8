"""What the tests of refused files share: that one error comes, and nothing else is heard of the file."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

from marsqe.errors import ReadError
from marsqe.read import open_image

PIXELS = np.random.default_rng(5).integers(0, 256, (40, 50, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def nothing_leaks(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """No warning, nothing on the streams, and Pillow's settings as they were."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
    handler = logging.StreamHandler()
    logging.getLogger("tifffile").addHandler(handler)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    logging.getLogger("tifffile").removeHandler(handler)
    assert (ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS) == before
    assert not logging.getLogger("tifffile").filters
    assert capfd.readouterr() == ("", "")


def refuse(path: Path, *words: str) -> None:
    """The file is refused with one error that names it and contains all the words."""
    with pytest.raises(ReadError) as caught:
        open_image(path)
    message = str(caught.value)
    assert str(path) in message
    for word in words:
        assert word in message, message


def encoded(kind: str, pixels: NDArray[Any] = PIXELS, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
