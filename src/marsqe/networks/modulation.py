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
        out: Tensor = x * (1 + torch.tanh(scale)).to(x.dtype) + shift.to(x.dtype)
        if self.phase is not None:
            period = self.phase.shape[-1]
            tiled = self.phase.repeat(1, 1, -(-x.shape[2] // period), -(-x.shape[3] // period))
            known = condition[:, -1, None, None, None]
            out = out + (known * tiled[:, :, : x.shape[2], : x.shape[3]]).to(x.dtype)
        return out
