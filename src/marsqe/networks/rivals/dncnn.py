"""DnCNN, here the deep version that its paper uses where the strength of the degradation is unknown, JPEG included.

K. Zhang, W. Zuo, Y. Chen, D. Meng, L. Zhang, "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image
Denoising", TIP 2017.
"""

from __future__ import annotations

from torch import Tensor, nn


class DnCNN(nn.Module):
    """Convolution and ReLU; convolution, batch normalization and ReLU in between; a convolution to the residual.

    Parameters
    ----------
    channels : int
        Of the image.
    depth : int
        Number of convolutions: 20 for unknown quality, 17 for one known noise level. The receptive field is
        ``2 depth + 1``.
    """

    def __init__(self, channels: int = 3, depth: int = 20) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, 64, 3, padding=1), nn.ReLU()]
        for _ in range(depth - 2):
            layers += [nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.tail = nn.Conv2d(64, channels, 3, padding=1)

    def forward(self, compressed: Tensor, condition: Tensor | None = None) -> Tensor:
        """Compressed (B, C, H, W) in 0-1 to enhanced, same shape, float32, not clipped; ``condition`` is not used."""
        # The paper subtracts the predicted noise; adding its negative is the same network.
        out: Tensor = compressed + self.tail(self.body(compressed)).float()
        return out
