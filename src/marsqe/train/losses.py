"""Training losses."""

from __future__ import annotations

from torch import Tensor


def loss_eq7(enhanced: Tensor, post_enhanced: Tensor, raw: Tensor, weight: float = 1.0) -> Tensor:
    """Eq. 7: mean squared error of the enhanced image plus ``weight`` (lambda) times that of the post-enhanced one.

    All tensors (B, 3, H, W) in 0-1.
    """
    first = (enhanced - raw).square().mean()
    second = (post_enhanced - raw).square().mean()
    return first + weight * second


def relative_charbonnier(enhanced: Tensor, compressed: Tensor, raw: Tensor, floor: float = 1 / 255) -> Tensor:
    """Charbonnier distance to the truth over the compressed input's own error, averaged over samples.

    The gains that matter are in decibel over the input, at every quality alike; without the division the
    coarsest qualities would own the gradient. ``floor`` (0-1 scale) bounds the weight of near-perfect inputs.
    Tensors (B, 3, H, W) in 0-1.
    """
    error = (compressed - raw).square().mean(dim=(1, 2, 3)).sqrt() + floor
    distance = ((enhanced - raw).square() + 1e-6).sqrt().mean(dim=(1, 2, 3))
    return (distance / error).mean()
