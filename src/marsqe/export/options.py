"""What a user may choose of a file that is written."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from marsqe.errors import SettingError

DEPTHS: Final = ("source", "8", "16", "float")
COMPRESSIONS: Final = ("deflate", "lzw", "zstd", "none")
LAYERS: Final = ("terrain", "confidence", "change", "residual")
SIDECARS: Final = ("json", "pds4", "report", "source")


@dataclass(frozen=True)
class ExportOptions:
    """How an enhancement is written; see :func:`marsqe.export.save_enhancement`.

    Attributes
    ----------
    depth : {"source", "8", "16", "float"}
        "source" keeps the numbers of the image: a 12-bit product stays on 0-4095 in 16 bits. "8" maps its full scale
        to 255, "16" maps 8 bits to 16 by 257 and keeps 16 bits, "float" writes 32-bit numbers in
        the same units as "source", with every frequency within the JPEG's interval, which rounding may leave; they are
        not clipped, and only results that were held to a JPEG have them.
    compression : {"deflate", "lzw", "zstd", "none"}
        All lossless. ImageJ reads all but zstd.
    layers : tuple of {"terrain", "confidence", "change", "residual"}
        Further pages of the TIFF, in this order.
    sidecars : tuple of {"json", "pds4", "report", "source"}
        Files beside it: the record as JSON, a label in the manner of PDS4, a report to read, and a copy of the file
        that was enhanced, from which :func:`marsqe.replay` makes the image again.
    pixel_size : float or None
        Metres that a pixel spans, where the user knows it better than the file.

    Raises
    ------
    SettingError
        If a choice is none of these, or the pixel size is not positive.
    """

    depth: str = "source"
    compression: str = "deflate"
    layers: tuple[str, ...] = ()
    sidecars: tuple[str, ...] = ()
    pixel_size: float | None = None

    def __post_init__(self) -> None:
        _check("depth", DEPTHS, self.depth)
        _check("compression", COMPRESSIONS, self.compression)
        _check("layer", LAYERS, *self.layers)
        _check("sidecar", SIDECARS, *self.sidecars)
        if self.pixel_size is not None and not 0 < self.pixel_size < float("inf"):
            raise SettingError(f"the pixel size must be a positive number of metres, not {self.pixel_size}")

    def as_record(self) -> dict[str, Any]:
        """The choices, JSON-ready."""
        return asdict(self) | {"layers": list(self.layers), "sidecars": list(self.sidecars)}


def _check(what: str, offered: tuple[str, ...], *chosen: str) -> None:
    wrong = [name for name in chosen if name not in offered]
    if wrong:
        raise SettingError(f"the {what} must be one of {', '.join(offered)}, not {wrong[0]!r}")
    if len(set(chosen)) < len(chosen):
        raise SettingError(f"a {what} is named twice; name each once")
