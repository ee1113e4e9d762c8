"""What the steps hand on: matches, the enhancement and its judgement. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marsqe.image import MarsImage, Pixels
from marsqe.terrain import Terrain

if TYPE_CHECKING:
    from marsqe.export.options import ExportOptions

TILE = 128
"""Side S of a tile and of a reference patch in pixels (paper, Section V-A)."""


@dataclass(frozen=True)
class Matches:
    """The reference that SMM matched to every tile (Eq. 1). Tiles are ``TILE`` pixels a side, rows x columns.

    Attributes
    ----------
    classes : ndarray of uint8, shape (rows, columns)
        Terrain label of the tile, 1-4.
    references : ndarray of int64, shape (rows, columns)
        Index of the matched patch within its class.
    divergences : ndarray of float64, shape (rows, columns)
        KL divergence of Eq. 1, in nats.
    candidates : ndarray of float64, shape (rows, columns, N)
        Divergence of every patch of the tile's class.
    similarity : ndarray of float64, shape (rows, columns)
        Mean over the tile of Eq. 3 between the tile and its compressed reference, on mean-free luma blocks.
    forbidden : tuple of (int, int)
        Class and index of the patches that no tile may have; their divergences are among the candidates all the same.
    dictionary_sha256 : str
        Of the dictionary that ``references`` count in; empty where it is not known.
    """

    classes: NDArray[np.uint8]
    references: NDArray[np.int64]
    divergences: NDArray[np.float64]
    candidates: NDArray[np.float64]
    similarity: NDArray[np.float64]
    forbidden: tuple[tuple[int, int], ...] = ()
    dictionary_sha256: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        return self.classes.shape[0], self.classes.shape[1]


@dataclass(frozen=True)
class Region:
    """A rectangle in pixels: left, top, width, height."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Part:
    """A rectangle of an enhancement that is still going on.

    Attributes
    ----------
    region : Region
        Where it lies in the image.
    pixels : ndarray, dtype of the image, shape (region.height, region.width[, 3])
        To be shown meanwhile; the finished enhancement may still differ.
    """

    region: Region
    pixels: Pixels


@dataclass(frozen=True)
class Confidence:
    """Intervals of an image.

    Attributes
    ----------
    half_width : ndarray of float32, shape (H, W)
        In DN. Around the enhanced pixel: the residual-to-raw, as :func:`marsqe.judge` measures it, is at most this
        with the probability that was calibrated for. NaN outside the region that was enhanced.
    beyond : ndarray of bool, shape (H, W)
        Where the change is larger than the interval around the *received* pixel: the JPEG alone speaks against it.
    """

    half_width: NDArray[np.float32]
    beyond: NDArray[np.bool_]


@dataclass(frozen=True)
class Enhancement:
    """An enhanced image and all that made it.

    Attributes
    ----------
    pixels : ndarray, dtype and shape of the source
        Outside ``region`` equal to the source.
    source : MarsImage
    terrain, matches
        What the understanding steps found.
    model : str
        Preset name; its weights' SHA-256 is in ``provenance``.
    device : str
        "cpu", "cuda" or "mps".
    seconds : float
        Time of the enhancement alone.
    region : Region or None
        None for the whole image.
    provenance : dict
        JSON-ready: source hash, model, weight hash, settings, versions.
    """

    pixels: Pixels
    source: MarsImage
    terrain: Terrain
    matches: Matches
    model: str
    device: str
    seconds: float
    region: Region | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def evidence(self) -> Confidence | None:
        """Intervals of the error that remains, computed when first asked for (about 0.2 s a megapixel).

        None where the file has no quantization tables, or the model's weights no calibration.
        """
        from marsqe.enhancement.confidence import confidence_of

        return confidence_of(self)

    @property
    def confidence(self) -> NDArray[np.float32] | None:
        """Half width in DN (H, W) of the interval that nine in ten pixels lie in; see :attr:`evidence`."""
        return None if self.evidence is None else self.evidence.half_width

    def float_pixels(self) -> NDArray[np.float32] | None:
        """The enhanced pixels as real numbers in DN, every DCT coefficient within its interval of the file.

        None where the result was not held to a JPEG; see :func:`marsqe.enhancement.faithful.float_pixels`.
        """
        from marsqe.enhancement.faithful import float_pixels

        settings = self.provenance.get("settings", {})
        if not settings.get("faithful"):
            return None
        return float_pixels(self.pixels.astype(np.uint8, copy=False), self.source)

    def save(self, path: str | Path, options: ExportOptions | None = None, judgement: Judgement | None = None) -> Path:
        """Write the enhanced pixels with their provenance; see :func:`marsqe.export.save_enhancement`."""
        from marsqe.export import save_enhancement

        return save_enhancement(self, Path(path), options, judgement)


@dataclass(frozen=True)
class Judgement:
    """How the enhanced image compares with the compressed one.

    ``has_truth`` tells which half is filled: with a truth the residuals to raw and the gains; without one only
    ``change``, the difference to the input, which is no gain.

    Attributes
    ----------
    change : ndarray of float32, shape (H, W)
        Mean absolute difference of enhanced and compressed over channels, in DN.
    residual_compressed, residual_enhanced : ndarray of float32, shape (H, W), or None
        Residual-to-raw: mean absolute difference to the truth over channels, in DN.
    delta_psnr : ndarray of float32, shape (rows, columns), or None
        ΔPSNR of every tile in dB; NaN where the compressed tile equals the truth.
    per_class : dict
        ΔPSNR in dB over all pixels of each terrain class present.
    metrics : dict
        "psnr_compressed", "psnr_enhanced", "delta_psnr", "ssim_compressed", "ssim_enhanced" with a truth;
        "mean_change" and "largest_change" in DN always.
    truth : dict
        Which truth it was: "sha256" of its file, or of its pixels where there is no file, and "name" where it has one.
    """

    change: NDArray[np.float32]
    residual_compressed: NDArray[np.float32] | None = None
    residual_enhanced: NDArray[np.float32] | None = None
    delta_psnr: NDArray[np.float32] | None = None
    per_class: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    truth: dict[str, str] = field(default_factory=dict)

    @property
    def has_truth(self) -> bool:
        """Whether a truth was given."""
        return self.delta_psnr is not None

    def as_record(self) -> dict[str, Any]:
        """The figures, JSON-ready but for infinities: metrics, and ΔPSNR in dB of each terrain class."""
        return {"metrics": dict(self.metrics), "delta_psnr_per_class": dict(self.per_class)}
