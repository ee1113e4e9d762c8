"""Channel attention, the blocks built on it, and the supervised attention module (SAM)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """The paper's ``C_3x3``: stride 1, padding 1."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class ChannelAttention(nn.Module):
    """Squeeze-and-excitation (Hu et al. 2018): one weight in 0-1 per channel from the channels' means."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        # With fewer than eight, all hidden units of a narrow level may die at once and freeze its attention.
        hidden = max(8, channels // reduction)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def weights(self, x: Tensor) -> Tensor:
        """Attention map (B, C, 1, 1) in 0-1 of features (B, C, H, W)."""
        return torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean(dim=(2, 3), keepdim=True)))))

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, H, W) times their attention map."""
        return x * self.weights(x)


class ChannelAttentionBlock(nn.Module):
    """``x + CA(conv(act(conv(x))))``, both convolutions 3x3 without bias."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.PReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            ChannelAttention(channels, reduction),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Refine features (B, C, H, W)."""
        out: Tensor = x + self.body(x)
        return out


class Attended(NamedTuple):
    """What SAM hands on."""

    features: Tensor
    """(B, C, H, W)"""
    image: Tensor
    """I_enh (B, 3, H, W), float32, about 0-1 (not clipped)"""


class SAM(nn.Module):
    """Supervised attention (Zamir et al. 2021): makes the enhanced image, and lets it weigh the features.

    The image convolution starts at zero, so that an untrained network returns its input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.keep = conv3x3(channels, channels)
        self.to_image = conv3x3(channels, 3)
        self.attend = conv3x3(3, channels)
        nn.init.zeros_(self.to_image.weight)
        if self.to_image.bias is not None:
            nn.init.zeros_(self.to_image.bias)

    def forward(self, decoded: Tensor, compressed: Tensor) -> Attended:
        """Decoded features (B, C, H, W) and compressed pixels (B, 3, H, W) in 0-1."""
        image = compressed + self.to_image(decoded).to(compressed.dtype)
        features = decoded + self.keep(decoded) * torch.sigmoid(self.attend(image))
        return Attended(features, image)
