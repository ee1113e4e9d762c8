"""What a reproduction is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from marsqe.errors import SettingError

QUALITIES: Final = (20, 30, 40, 50)
"""JPEG quality factors of the paper."""
QPS: Final = (27, 32, 37, 42)
"""HEVC quantization parameters of the paper."""
MAIN_QUALITY: Final = 30
"""The quality at which the paper shows efficiency, ablations and pictures."""

_QUICK_SIDE: Final = 256
_QUICK_MOST: Final = 4


@dataclass(frozen=True)
class Settings:
    """Options of one reproduction.

    Attributes
    ----------
    data : Path or None
        Folder of images; None for the bundled samples.
    out : Path
        Where CSV, PNG, the page and the cache go.
    quick : bool
        Central squares of a few images, one HEVC point fewer than a curve needs: a look, no result.
    systems : tuple of str
        Systems to compute; empty for all. See :mod:`marsqe.reproduce.systems`.
    qualities, qps : tuple of int
        JPEG quality factors 1-100 and HEVC parameters 0-51.
    earth : Path or None
        Folder of Earth photographs; None for those that come with scikit-image.
    most : int or None
        At most so many images of each split, evenly spaced.
    jobs : int
        Processes.
    splits : tuple of str
        Splits to read; empty for the test splits, or all where there is none.
    weights : mapping of str to Path
        Weight files (safetensors) by system.
    device : str
    side : int or None
        Use only the central square of this side; None for whole images (quick: 256).
    budget : float or None
        Where no side is given: take the largest squares with which all should end in so many seconds.
    fitted : bool
        Whether the side was chosen to fit the budget.
    command : str
        As it was typed, for the page.
    """

    data: Path | None
    out: Path
    quick: bool = False
    systems: tuple[str, ...] = ()
    qualities: tuple[int, ...] = QUALITIES
    qps: tuple[int, ...] = QPS
    earth: Path | None = None
    most: int | None = None
    jobs: int = 1
    splits: tuple[str, ...] = ()
    weights: Mapping[str, Path] = field(default_factory=dict)
    device: str = "cpu"
    side: int | None = None
    budget: float | None = None
    fitted: bool = False
    command: str = ""

    def __post_init__(self) -> None:
        if self.data is None and not self.quick:
            raise SettingError("give a folder of images with --data, or --quick for the bundled samples")
        if self.jobs < 1 or (self.most is not None and self.most < 1) or (self.side is not None and self.side < 32):
            raise SettingError("--jobs and --most must be 1 or more, and a square 32 pixels or more")
        if self.budget is not None and self.budget <= 0:
            raise SettingError("a budget must be more than 0 seconds; leave it out for whole images")
        if any(not 1 <= q <= 100 for q in self.qualities) or any(not 0 <= q <= 51 for q in self.qps):
            raise SettingError("quality factors must lie in 1-100 and QPs in 0-51")

    @property
    def crop(self) -> int | None:
        """Side of the central square that is used of each image."""
        return _QUICK_SIDE if self.side is None and self.quick else self.side

    @property
    def most_of_each(self) -> int | None:
        """Images of each split."""
        return _QUICK_MOST if self.most is None and self.quick else self.most

    @property
    def pairs(self) -> int:
        """Pairs of patches compared for each similarity."""
        return 300 if self.quick else 3000

    @property
    def levels(self) -> list[tuple[str, int]]:
        """Every (codec, level) to measure."""
        qps = self.qps[2:3] if self.quick else self.qps
        return [("JPEG", q) for q in self.qualities] + [("HEVC", q) for q in qps]
