"""marsqe-swift: a small residual U-Net for laptops, told of the file's quantization tables.

Half-resolution input (pixel-unshuffle 2), three levels of plain convolutions. Level 3 has one feature vector
for every 8x8 block of the JPEG grid, so that a tile which starts on the grid is seen block by block.

With four views the image is seen in each of its quarter turns, and the results are turned back and averaged: the
geometric self-ensemble of Timofte et al. (CVPR 2016). What a network does to an image should not depend on how it
is turned; where it does, that is error, and the mean has less of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from marsqe.networks.conditioning import TURNED
from marsqe.networks.modulation import CompressionModulation

QUARTER_TURNS: Final = 4


@dataclass(frozen=True)
class SwiftConfig:
    """Widths and depths of :class:`MarsQESwift`; ``views`` is 1, or 4 for the mean over all quarter turns."""

    widths: tuple[int, int, int] = (32, 64, 128)
    encoder: tuple[int, int] = (3, 3)
    middle: int = 8
    decoder: tuple[int, int] = (3, 3)
    unshuffle: int = 2
    views: int = 1

    def __post_init__(self) -> None:
        if self.views not in (1, QUARTER_TURNS):
            raise ValueError(f"an image is seen in 1 or {QUARTER_TURNS} views, not {self.views}")


class ResidualBlock(nn.Module):
    """``x + conv(relu(conv(x)))``, both 3x3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, H, W) to features of the same shape."""
        out: Tensor = x + self.conv2(torch.relu(self.conv1(x)))
        return out


class MarsQESwift(nn.Module):
    """Enhance compressed pixels.

    Input: pixels ``(B, 3, H, W)`` in 0-1 (gray repeated three times) whose sides are multiples of 8 and whose
    corner lies on the JPEG grid, and the condition vector ``(B, 12)``. Output: enhanced pixels, same shape.
    """

    def __init__(self, config: SwiftConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SwiftConfig()
        c1, c2, c3 = config.widths
        u = config.unshuffle
        channels = 3 * u * u
        self.unshuffle, self.shuffle = nn.PixelUnshuffle(u), nn.PixelShuffle(u)
        self.head = nn.Conv2d(channels, c1, 3, padding=1)
        self.know1 = CompressionModulation(c1, u)
        self.encode1 = nn.Sequential(*(ResidualBlock(c1) for _ in range(config.encoder[0])))
        self.down1 = nn.Conv2d(c1, c2, 2, stride=2)
        self.know2 = CompressionModulation(c2, 2 * u)
        self.encode2 = nn.Sequential(*(ResidualBlock(c2) for _ in range(config.encoder[1])))
        self.down2 = nn.Conv2d(c2, c3, 2, stride=2)
        self.know3 = CompressionModulation(c3, 4 * u)
        self.middle = nn.Sequential(*(ResidualBlock(c3) for _ in range(config.middle)))
        self.up2 = nn.Sequential(nn.Conv2d(c3, 4 * c2, 1), nn.PixelShuffle(2))
        self.decode2 = nn.Sequential(*(ResidualBlock(c2) for _ in range(config.decoder[1])))
        self.up1 = nn.Sequential(nn.Conv2d(c2, 4 * c1, 1), nn.PixelShuffle(2))
        self.know4 = CompressionModulation(c1, u)
        self.decode1 = nn.Sequential(*(ResidualBlock(c1) for _ in range(config.decoder[0])))
        self.tail = nn.Conv2d(c1, channels, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        if self.tail.bias is not None:
            nn.init.zeros_(self.tail.bias)

    def forward(self, compressed: Tensor, condition: Tensor) -> Tensor:
        """Compressed RGB (B, 3, H, W) in 0-1 and condition (B, D) to the enhanced image, same shape, float32."""
        if self.config.views == 1:
            return self.enhance(compressed, condition)
        views = (self.turned(compressed, condition, turns) for turns in range(self.config.views))
        return torch.stack(list(views)).mean(dim=0)

    def turned(self, compressed: Tensor, condition: Tensor, turns: int) -> Tensor:
        """What becomes of the image where it is seen after so many quarter turns, turned back."""
        seen = torch.rot90(compressed, turns, (2, 3)).contiguous(memory_format=torch.channels_last)
        told = condition[:, TURNED] if turns % 2 else condition
        return torch.rot90(self.enhance(seen, told), -turns, (2, 3))

    def enhance(self, compressed: Tensor, condition: Tensor) -> Tensor:
        """The same from one view."""
        fine, coarse = self.encode(compressed, condition)
        decoded = self.decode_fine(self.decode_coarse(coarse, condition), fine, condition)
        return self.to_image(decoded, compressed)

    def encode(self, pixels: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Encoder's features of the two finer levels."""
        fine = self.encode1(self.know1(self.head(self.unshuffle(pixels)), condition))
        return fine, self.encode2(self.know2(self.down1(fine), condition))

    def decode_coarse(self, coarse: Tensor, condition: Tensor) -> Tensor:
        """Decoder's features of level 2, by way of the deepest level."""
        deep = self.middle(self.know3(self.down2(coarse), condition))
        out: Tensor = self.decode2(self.up2(deep) + coarse)
        return out

    def decode_fine(self, decoded: Tensor, fine: Tensor, condition: Tensor) -> Tensor:
        """Decoder's features of level 1."""
        out: Tensor = self.decode1(self.know4(self.up1(decoded) + fine, condition))
        return out

    def to_image(self, decoded: Tensor, compressed: Tensor) -> Tensor:
        """Enhanced image from the finest features."""
        out: Tensor = compressed + self.shuffle(self.tail(decoded)).float()
        return out
