"""Traces that damage leaves in a JPEG. It has no checksum, and a decoder makes pixels of nearly any bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marsqe.codecs.coefficients import components_and_remarks
from marsqe.codecs.jpeg import Table
from marsqe.errors import MarsqeError, ReadError, in_one_line

_OF_DAMAGE: Final = (b"Corrupt JPEG data", b"Premature end of JPEG file", b"Inconsistent progression sequence")
_OVERSHOOT: Final = 1.25
"""Encoders that soften ringing at white and black go beyond the range of samples by up to a quarter."""


def _largest() -> NDArray[np.float64]:
    """Of each frequency, what 8 x 8 samples of -128 to 127 can give (ITU-T T.81, A.3.3)."""
    frequency, sample = np.arange(8)[:, None], np.arange(8)[None]
    basis = 0.5 * np.cos((2 * sample + 1) * frequency * np.pi / 16)
    basis[0] /= np.sqrt(2)
    reach = np.abs(basis).sum(axis=1)
    return 128 * np.outer(reach, reach)


_LARGEST: Final = _largest()


def signs_of_damage(data: bytes, tables: Sequence[Table]) -> tuple[str, ...]:
    """What speaks for damage in the bytes of an 8-bit JPEG that was decoded; empty where nothing does.

    About four in ten single bits that flip in the scan are noticed: those that make the decoder lose its place, and
    those that give brightness or contrast that no picture has. The others change values that might be true.

    Parameters
    ----------
    data : bytes
        The file.
    tables : sequence of (8, 8) ndarray
        Quantization steps of each component.

    Returns
    -------
    tuple of str
        In a few words each, those of libjpeg where they are its remarks.
    """
    try:
        components, remarks = components_and_remarks(data, len(tables))
    except ReadError:
        return ("coefficients that cannot be read",)
    except MarsqeError as error:  # no room for a copy: the file may be sound
        return (f"it could not be looked at closely: {in_one_line(error)}",)
    told = (line.decode("ascii", "replace").strip() for line in remarks if line.startswith(_OF_DAMAGE))
    signs = list(dict.fromkeys(line.removeprefix("Corrupt JPEG data: ") for line in told))
    if any(_is_beyond(blocks, table) for blocks, table in zip(components, tables, strict=True)):
        signs.append("values that no picture gives")
    return tuple(signs)


def _is_beyond(blocks: NDArray[np.int16], table: Table) -> bool:
    reached = np.maximum(blocks.max(axis=(0, 1)).astype(np.int64), -blocks.min(axis=(0, 1)).astype(np.int64))
    return bool((reached * table > _OVERSHOOT * _LARGEST + table / 2 + 1).any())
