"""RBQE: nested U-Nets, each one level deeper than the one before and built on its features; each ends in an exit.

Q. Xing, M. Xu, T. Li, Z. Guan, "Early Exit or Not: Resource-Efficient Blind Quality Enhancement for Compressed
Images", ECCV 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from marsqe.networks.padding import reflect_to


class EfficientChannelAttention(nn.Module):
    """One weight in 0-1 per channel, from the means of the channel and its two neighbours."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, H, W) times their attention."""
        weights = torch.sigmoid(self.mix(x.mean(dim=(2, 3))[:, None]))
        return x * weights[:, 0, :, None, None]


def separable(inputs: int, outputs: int) -> nn.Sequential:
    """A 3x3 convolution within, then a 1x1 convolution across channels."""
    return nn.Sequential(nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs), nn.Conv2d(inputs, outputs, 1))


def first_features(channels: int, width: int) -> nn.Sequential:
    """Two convolutions from the image to features of full resolution."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()
    )


class _Down(nn.Sequential):
    def __init__(self, width: int) -> None:
        super().__init__(
            EfficientChannelAttention(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, stride=2),
            nn.ReLU(),
        )


class _Node(nn.Module):
    """All earlier features of a level and, enlarged, the features of the level below."""

    def __init__(self, width: int, earlier: int, *, attend_below: bool) -> None:
        super().__init__()
        self.attend = nn.ModuleList(EfficientChannelAttention() for _ in range(earlier))
        self.attend_below = EfficientChannelAttention() if attend_below else nn.Identity()
        self.up = nn.Sequential(nn.ConvTranspose2d(width, width, 2, stride=2), nn.ReLU())
        self.fuse = nn.Sequential(
            separable((earlier + 1) * width, width), nn.ReLU(), separable(width, width), nn.ReLU()
        )

    def forward(self, earlier: Sequence[Tensor], below: Tensor) -> Tensor:
        attended = [attend(x) for attend, x in zip(self.attend, earlier, strict=True)]
        out: Tensor = self.fuse(torch.cat((*attended, self.up(self.attend_below(below))), dim=1))
        return out


class NestedUNet(nn.Module):
    """U-Nets of depth 1, 2, ... ``depth`` that share their features; all features are ``width`` wide."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(_Down(width) for _ in range(depth))
        self.nodes = nn.ModuleList(
            nn.ModuleList(_Node(width, earlier, attend_below=nest < depth) for earlier in range(1, nest + 1))
            for nest in range(1, depth + 1)
        )

    def forward(self, features: Tensor) -> list[Tensor]:
        """Features (B, width, H, W), sides multiples of ``2 ** depth``, to what each U-Net makes of them."""
        levels = [[features]]
        for nest, (down, nodes) in enumerate(zip(self.down, self.nodes, strict=True), start=1):
            levels.append([down(levels[nest - 1][0])])
            for column, node in enumerate(cast(nn.ModuleList, nodes), start=1):
                level = nest - column
                levels[level].append(node(levels[level][:column], levels[level + 1][column - 1]))
        return levels[0][1:]


def exit_layer(channels: int, width: int, *, attend: bool) -> nn.Sequential:
    """From the features of one U-Net to the residual image."""
    return nn.Sequential(EfficientChannelAttention() if attend else nn.Identity(), separable(width, channels))


class RBQE(nn.Module):
    """Five nested U-Nets of 32 features with an exit each; training drives all exits.

    Departures from the paper: the last exit gives the result, whatever the image. The paper's early exit takes a
    shallower one where a hand-made quality score of its output is already high: it saves time on good images and
    gains no quality. All exits weigh the same in training, where the paper weighs them by the known quality.

    Parameters
    ----------
    channels : int
        Of the image; the network that the authors released has one.
    width, depth : int
        Features of every layer; number of nested U-Nets and exits.
    """

    def __init__(self, channels: int = 3, width: int = 32, depth: int = 5) -> None:
        super().__init__()
        self.multiple = 2**depth
        self.head = first_features(channels, width)
        self.nested = NestedUNet(width, depth)
        # As released: the deepest U-Net goes without attention on its way up and at its exit.
        self.tails = nn.ModuleList(exit_layer(channels, width, attend=nest < depth) for nest in range(1, depth + 1))

    def _features(self, compressed: Tensor) -> list[Tensor]:
        height, width = (-(-n // self.multiple) * self.multiple for n in compressed.shape[2:])
        features: list[Tensor] = self.nested(self.head(reflect_to(compressed, height, width)))
        return features

    def _exit(self, compressed: Tensor, tail: nn.Module, features: Tensor) -> Tensor:
        height, width = compressed.shape[2:]
        out: Tensor = compressed + tail(features)[:, :, :height, :width].float()
        return out

    def exits(self, compressed: Tensor, condition: Tensor | None = None) -> tuple[Tensor, ...]:
        """The enhanced image of every exit, shallowest first, each as :meth:`forward` gives it; for the loss."""
        features = self._features(compressed)
        return tuple(self._exit(compressed, *pair) for pair in zip(self.tails, features, strict=True))

    def forward(self, compressed: Tensor, condition: Tensor | None = None) -> Tensor:
        """Compressed (B, C, H, W) in 0-1 to enhanced, same shape, float32, not clipped; ``condition`` is not used."""
        return self._exit(compressed, self.tails[-1], self._features(compressed)[-1])
