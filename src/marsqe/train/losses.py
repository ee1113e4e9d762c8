"""Training losses."""

from __future__ import annotations

from torch import Tensor


def loss_eq7(
    enhanced: Tensor, post_enhanced: Tensor, raw: Tensor, weight: float = 1.0, weights: Tensor | None = None
) -> Tensor:
    """Eq. 7: mean squared error of the enhanced image plus ``weight`` (lambda) times that of the post-enhanced one.

    All images (B, 3, H, W) in 0-1. ``weights`` (B,) are those of the samples, see :func:`relative_weights`; without
    them all are one, as in the paper, which trains for one quality.
    """
    first, second = ((image - raw).square().mean(dim=(1, 2, 3)) for image in (enhanced, post_enhanced))
    errors = first + weight * second
    return errors.mean() if weights is None else (errors * weights).mean()


def relative_weights(compressed: Tensor, raw: Tensor, floor: float = 1 / 255) -> Tensor:
    """One over the squared error of each compressed sample, so that every quality counts alike; shape (B,).

    ``floor`` (0-1 scale) bounds the weight of near-perfect inputs. Images (B, 3, H, W) in 0-1.
    """
    return 1 / ((compressed - raw).square().mean(dim=(1, 2, 3)) + floor**2)


def relative_charbonnier(enhanced: Tensor, compressed: Tensor, raw: Tensor, floor: float = 1 / 255) -> Tensor:
    """Charbonnier distance to the truth over the compressed input's own error, averaged over samples.

    The gains that matter are in decibel over the input, at every quality alike; without the division the
    coarsest qualities would own the gradient. ``floor`` (0-1 scale) bounds the weight of near-perfect inputs.
    Tensors (B, 3, H, W) in 0-1.
    """
    error = (compressed - raw).square().mean(dim=(1, 2, 3)).sqrt() + floor
    distance = ((enhanced - raw).square() + 1e-6).sqrt().mean(dim=(1, 2, 3))
    return (distance / error).mean()


def relative_squared(enhanced: Tensor, compressed: Tensor, raw: Tensor, floor: float = 1 / 255) -> Tensor:
    """Squared distance to the truth over the compressed input's own squared error, averaged over samples.

    What PSNR measures; for the last part of a run, when :func:`relative_charbonnier` has done the rough work.
    Arguments as there.
    """
    weights = relative_weights(compressed, raw, floor)
    return (weights * (enhanced - raw).square().mean(dim=(1, 2, 3))).mean()
