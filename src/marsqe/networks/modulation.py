"""Feature-wise modulation by the compression: what :mod:`marsqe.networks.conditioning` says, per network level."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from marsqe.networks.conditioning import CONDITION_SIZE


class CompressionModulation(nn.Module):
    """Scale and shift the features of one level by what the file says of its compression.

    Where the tables, and with them the 8x8 grid, are known, a learned map of the grid's phase is added too.

    Parameters
    ----------
    channels : int
    stride : int
        Pixels per feature; from 8 on there is no phase.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        first, last = nn.Linear(CONDITION_SIZE, 64), nn.Linear(64, 2 * channels)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.perceptron = nn.Sequential(first, nn.ReLU(), last)
        self.phase = nn.Parameter(torch.zeros(1, channels, 8 // stride, 8 // stride)) if stride < 8 else None

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Modulate features (B, C, H, W), whose corner lies on the grid, by condition vectors (B, 12)."""
        scale, shift = self.perceptron(condition)[:, :, None, None].chunk(2, dim=1)
        # The bound keeps a bad training step from multiplying features level by level.
        out: Tensor = x * (1 + torch.tanh(scale)).to(x.dtype)
        if self.phase is None:
            return out + shift.to(x.dtype)
        added = (shift + condition[:, -1, None, None, None] * self.phase).to(x.dtype)
        return _add_periodic(out, added)


def _add_periodic(x: Tensor, pattern: Tensor) -> Tensor:
    """Add a small pattern (B, C, p, p) to features (B, C, H, W) again and again, in their place.

    Where it fits a whole number of times it is laid over a view of them; a pattern of their size takes longer to write
    than to add.
    """
    (batch, channels, height, width), period = x.shape, pattern.shape[-1]
    if height % period or width % period:
        tiled = pattern.repeat(1, 1, -(-height // period), -(-width // period))
        return x + tiled[:, :, :height, :width]
    blocks = x.permute(0, 2, 3, 1).view(batch, height // period, period, width // period, period, channels)
    blocks += pattern.permute(0, 2, 3, 1)[:, None, :, None]
    return x
