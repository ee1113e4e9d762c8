"""DAQE: blocks of the image are sorted by how defocused they are, and each sort is enhanced in its own way.

Q. Xing, M. Xu, X. Deng, Y. Guo, "DAQE: Enhancing the Quality of Compressed Images by Exploiting the Inherent
Characteristic of Defocus", TPAMI 2023.

**A reconstruction, not a reproduction.** No code was published. What could be established, from the abstract and the
first author's own summary: three sorts of blocks, from severely to slightly defocused; in the convolutional form
each sort has its own parameters to extract features; the early exit of RBQE gives severely defocused blocks a
shallow and slightly defocused ones a deep network; the enhanced blocks are joined. What could **not**: the block's
size, widths and depths, which exits the sorts take, the network that estimates defocus, the borders between sorts,
and the published numbers of parameters and multiply-adds. Those are choices of this module:

- RBQE's nested U-Nets (32 features, depth 5) with exits after 1, 3 and 5, blocks of 32x32;
- defocus from the image itself, by how much gradient energy a slight blur takes away, with fixed borders that split
  JPEG-compressed rover images about in thirds. The paper trains a network on the output of another defocus network;
- everything is computed for the whole image and selected by block: the values are those of each block's own branch
  with the surroundings in view, without seams, and without the savings that the paper reports.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from marsqe.networks.padding import reflect_to
from marsqe.networks.rivals.rbqe import NestedUNet, exit_layer, first_features

BLOCK: Final = 32
EXITS: Final = (1, 3, 5)
"""Depth of the U-Net that enhances severely, moderately and slightly defocused blocks."""
SHARPNESS: Final = (4.6, 7.9)
"""Borders between the sorts: ratio of gradient energies before and after a blur."""


def _gradient_energy(gray: Tensor) -> Tensor:
    dy, dx = F.pad(gray.diff(dim=2), (0, 0, 0, 1)), F.pad(gray.diff(dim=3), (0, 1))
    return F.avg_pool2d(dy.square() + dx.square(), BLOCK)


@torch.no_grad()
def block_sharpness(image: Tensor) -> Tensor:
    """How much of its gradient energy each block loses by a slight blur: 1 (flat or defocused) and up (sharp).

    Image (B, C, H, W) in 0-1, sides multiples of 32; returns (B, 1, H / 32, W / 32).
    """
    gray = image.float().mean(dim=1, keepdim=True)
    blurred = F.avg_pool2d(F.avg_pool2d(gray, 3, 1, 1, count_include_pad=False), 3, 1, 1, count_include_pad=False)
    # Steps far below one grey level are rounding: a flat sky counts as defocused.
    floor = 0.1 / 255**2
    return (_gradient_energy(gray) + floor) / (_gradient_energy(blurred) + floor)


class DAQE(nn.Module):
    """Texture-wise features, then nested U-Nets left early by defocused blocks; see the module for what is known.

    Parameters
    ----------
    channels : int
        Of the image.
    width : int
        Features of every layer.
    """

    def __init__(self, channels: int = 3, width: int = 32) -> None:
        super().__init__()
        self.heads = nn.ModuleList(first_features(channels, width) for _ in EXITS)
        self.nested = NestedUNet(width, EXITS[-1])
        self.tails = nn.ModuleList(exit_layer(channels, width, attend=nest < EXITS[-1]) for nest in EXITS)

    def sorts(self, padded: Tensor) -> Tensor:
        """Sort of every pixel: 0 severely, 1 moderately, 2 slightly defocused; int64 (B, 1, H, W), H and W of 32."""
        borders = torch.tensor(SHARPNESS, device=padded.device)
        blocks = torch.bucketize(block_sharpness(padded), borders)
        return blocks.repeat_interleave(BLOCK, dim=2).repeat_interleave(BLOCK, dim=3)

    def forward(self, compressed: Tensor, condition: Tensor | None = None) -> Tensor:
        """Compressed (B, C, H, W) in 0-1 to enhanced, same shape, float32, not clipped; ``condition`` is not used."""
        height, width = compressed.shape[2:]
        padded = reflect_to(compressed, -(-height // BLOCK) * BLOCK, -(-width // BLOCK) * BLOCK)
        sorts = self.sorts(padded)
        features = self.nested(_select(sorts, [head(padded) for head in self.heads]))
        residuals = [tail(features[nest - 1]) for tail, nest in zip(self.tails, EXITS, strict=True)]
        out: Tensor = compressed + _select(sorts, residuals)[:, :, :height, :width].float()
        return out


def _select(sorts: Tensor, of_each: list[Tensor]) -> Tensor:
    """Of three tensors (B, C, H, W) the one that each pixel's sort names."""
    severe, moderate, slight = of_each
    return torch.where(sorts == 0, severe, torch.where(sorts == 1, moderate, slight))
