"""What must be true of every image that is accepted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


class WrongError(Exception):
    """The product accepted an input and made something that it must not."""


def try_image(path: Path) -> None:
    """Open a file; what is accepted must be a whole and proper image."""
    import marsqe
    from marsqe.cli.commands import describe
    from marsqe.enhancement.faithful import cell_for, coefficients_of, project
    from marsqe.image import to_stored

    image = marsqe.open_image(path)
    pixels = image.pixels
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
        raise WrongError(f"pixels of {pixels.dtype} {pixels.shape}")
    if not pixels.size or not pixels.flags.c_contiguous or not pixels.flags.writeable or not pixels.dtype.isnative:
        raise WrongError(f"pixels that later steps cannot take: {pixels.shape} {pixels.flags}")
    json.dumps(describe(image))
    if image.orientation not in range(1, 9) or not 1 <= image.full_scale <= image.data_range:
        raise WrongError(f"orientation {image.orientation}, full scale {image.full_scale}")
    if image.compression.codec == "JPEG" and pixels.size < 10**6:
        found = coefficients_of(image)
        if found is not None:
            subsampling = image.compression.subsampling or (1, 1)
            stored = to_stored(pixels, image.orientation).astype(np.float64)
            moved = project(stored, found, subsampling, cell_for(image.compression))
            if moved.shape != stored.shape or not np.isfinite(moved).all():
                raise WrongError("the projection onto its coefficients is not finite")
