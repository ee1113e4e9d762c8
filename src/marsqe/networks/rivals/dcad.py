"""DCAD, a plain ten-layer network behind the decoder.

T. Wang, M. Chen, H. Chao, "A Novel Deep Learning-Based Method of Improving Coding Efficiency from the Decoder-End for
HEVC", DCC 2017.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class DCAD(nn.Module):
    """Ten 3x3 convolutions, 64 features, that predict what compression took away.

    Parameters
    ----------
    channels : int
        Of the image; the paper's network has one (luma).
    """

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        widths = [channels, *[64] * 9]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.tail = nn.Conv2d(64, channels, 3, padding=1)

    def forward(self, compressed: Tensor, condition: Tensor | None = None) -> Tensor:
        """Compressed (B, C, H, W) in 0-1 to enhanced, same shape, float32, not clipped; ``condition`` is not used."""
        out: Tensor = compressed + self.tail(self.body(compressed)).float()
        return out
