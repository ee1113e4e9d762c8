"""CBDNet: a small network estimates the noise level of every pixel; a U-Net is given the image and the estimate.

S. Guo, Z. Yan, K. Zhang, W. Zuo, L. Zhang, "Toward Convolutional Blind Denoising of Real Photographs", CVPR 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from marsqe.networks.padding import reflect_to


def _convolutions(inputs: int, width: int, count: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(count):
        layers += [nn.Conv2d(width if index else inputs, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


class CBDNet(nn.Module):
    """Noise estimation (five convolutions, 32 features), then a three-level residual U-Net (64, 128, 256 features).

    Departure from the paper: no asymmetric and no total-variation loss on the estimate, which needs true noise
    levels that compression does not have; the estimate is learned through the enhanced image alone.

    Parameters
    ----------
    channels : int
        Of the image.
    """

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.estimate = _convolutions(channels, 32, 4)
        self.level = nn.Conv2d(32, channels, 3, padding=1)
        # The estimate passes a ReLU: where it starts below zero everywhere, it would never learn.
        if self.level.bias is not None:
            nn.init.constant_(self.level.bias, 0.1)
        self.encode1 = _convolutions(2 * channels, 64, 2)
        self.encode2 = _convolutions(64, 128, 3)
        self.middle = _convolutions(128, 256, 6)
        self.up2 = nn.ConvTranspose2d(256, 128, 2, stride=2)
        self.decode2 = _convolutions(128, 128, 3)
        self.up1 = nn.ConvTranspose2d(128, 64, 2, stride=2)
        self.decode1 = _convolutions(64, 64, 2)
        self.tail = nn.Conv2d(64, channels, 1)
        self.shrink = nn.AvgPool2d(2)

    def noise_level(self, compressed: Tensor) -> Tensor:
        """Estimated strength of the degradation per pixel and channel, (B, C, H, W), not negative."""
        return torch.relu(self.level(self.estimate(compressed)))

    def forward(self, compressed: Tensor, condition: Tensor | None = None) -> Tensor:
        """Compressed (B, C, H, W) in 0-1 to enhanced, same shape, float32, not clipped; ``condition`` is not used."""
        height, width = compressed.shape[2:]
        padded = reflect_to(compressed, -(-height // 4) * 4, -(-width // 4) * 4)
        f1 = self.encode1(torch.cat((padded, self.noise_level(padded).to(padded.dtype)), dim=1))
        f2 = self.encode2(self.shrink(f1))
        d2 = self.decode2(f2 + self.up2(self.middle(self.shrink(f2))))
        d1 = self.decode1(f1 + self.up1(d2))
        out: Tensor = compressed + self.tail(d1)[:, :, :height, :width].float()
        return out
