"""Fidelity to a truth, and the judgement of an enhancement."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from marsqe.errors import SettingError
from marsqe.image import MarsImage, Pixels
from marsqe.judgement.residual import delta_psnr_classes, delta_psnr_tiles, residual, squared_error
from marsqe.results import Judgement
from marsqe.terrain import Terrain

SSIM_WINDOW = 11
"""Side of the window of :func:`ssim` in pixels."""


def psnr(image: Pixels, truth: Pixels) -> float:
    """Peak signal-to-noise ratio in dB: mean squared error over all pixels and channels, peak 255 or 65535.

    Infinite for equal images.
    """
    error = float(squared_error(image, truth).mean())
    peak = np.iinfo(truth.dtype).max
    return float("inf") if error == 0 else float(10 * np.log10(peak**2 / error))


def ssim(image: Pixels, truth: Pixels) -> float:
    """Structural similarity (Wang et al. 2004, Gaussian window of sigma 1.5), mean over channels.

    NaN for images smaller than the window of 11 pixels.
    """
    if min(image.shape[:2]) < SSIM_WINDOW:
        return float("nan")
    return float(_similarity(image, truth, full=False))


def ssim_map(image: Pixels, truth: Pixels) -> NDArray[np.float64]:
    """What :func:`ssim` is the mean of: (H - 10, W - 10) or (H - 10, W - 10, 3), where windows lie in the image."""
    _, similar = _similarity(image, truth, full=True)
    edge = SSIM_WINDOW // 2
    inside: NDArray[np.float64] = similar[edge:-edge, edge:-edge]
    return inside


def _similarity(image: Pixels, truth: Pixels, *, full: bool) -> Any:
    return structural_similarity(
        image,
        truth,
        data_range=int(np.iinfo(truth.dtype).max),
        channel_axis=2 if image.ndim == 3 else None,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=full,
    )


def judge(
    enhanced: Pixels, truth: Pixels | MarsImage | None = None, *, compressed: Pixels, terrain: Terrain | None = None
) -> Judgement:
    """Compare an enhanced image with the compressed one, and both with the truth where there is one.

    Parameters
    ----------
    enhanced, compressed : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
    truth : ndarray or MarsImage, optional
        The raw image, same shape and dtype. Without it only the change is reported: no gain is made up. Of an opened
        one the file is known by its hash later on.
    terrain : Terrain, optional
        For the gain per class.

    Raises
    ------
    SettingError
        If shapes or dtypes differ.
    """
    raw = truth.pixels if isinstance(truth, MarsImage) else truth
    for name, other in (("compressed image", compressed), ("truth", raw)):
        if other is not None:
            check_alike(other, enhanced, name)
    if terrain is not None and terrain.labels.shape != enhanced.shape[:2]:
        raise SettingError("the terrain labels and the enhanced image differ in size; segment this image again")
    change = residual(enhanced, compressed)
    metrics = {"mean_change": float(change.mean()), "largest_change": float(change.max())}
    if truth is None or raw is None:
        return Judgement(change, metrics=metrics)
    before, after = squared_error(compressed, raw), squared_error(enhanced, raw)
    metrics |= {"psnr_compressed": psnr(compressed, raw), "psnr_enhanced": psnr(enhanced, raw)}
    metrics["delta_psnr"] = _difference(metrics["psnr_enhanced"], metrics["psnr_compressed"])
    metrics |= {"ssim_compressed": ssim(compressed, raw), "ssim_enhanced": ssim(enhanced, raw)}
    return Judgement(
        change,
        residual(compressed, raw),
        residual(enhanced, raw),
        delta_psnr_tiles(before, after),
        {} if terrain is None else delta_psnr_classes(before, after, terrain),
        metrics,
        _named(truth if isinstance(truth, MarsImage) else MarsImage.from_array(truth)),
    )


def _named(truth: MarsImage) -> dict[str, str]:
    name = truth.path.name if truth.path is not None else truth.metadata.get("name")
    return {"sha256": truth.sha256} | ({} if name is None else {"name": str(name)})


def check_alike(other: NDArray[Any], enhanced: NDArray[Any], name: str) -> None:
    """Raise a SettingError if an image cannot be compared with the enhanced one."""
    if other.shape != enhanced.shape or other.dtype != enhanced.dtype:
        raise SettingError(
            f"the {name} is {_describe(other)}, but the enhanced image is {_describe(enhanced)}; "
            "choose images of the same size, channels and depth"
        )


def _difference(after: float, before: float) -> float:
    return 0.0 if after == before else after - before


def _describe(pixels: NDArray[Any]) -> str:
    kind = "gray" if pixels.ndim == 2 else "colour"
    return f"{pixels.shape[1]} x {pixels.shape[0]}, {kind}, {pixels.dtype.itemsize * 8}-bit"
