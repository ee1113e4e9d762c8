"""Post-enhancement of the whole image: quality enhancement modules (QEM) and class-wise non-local modules (Eq. 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from marsqe.networks.attention import ChannelAttention, conv3x3
from marsqe.networks.modulation import CompressionModulation
from marsqe.networks.padding import reflect_to


@dataclass(frozen=True)
class PostConfig:
    """Widths and depths of :class:`PostEnhancement`."""

    widths: tuple[int, int, int] = (16, 48, 216)
    down: tuple[int, int, int] = (1, 1, 7)
    """QEMs per encoder level, finest first."""
    up: tuple[int, int, int] = (1, 1, 1)
    """QEMs per decoder level, finest first."""
    keys: int = 512
    """Positions of each class that the non-local attention looks at."""
    reduction: int = 8


class LayerNorm(nn.Module):
    """L_LN: normalise every position of (B, C, H, W) over its channels (on the NHWC view, which is much faster)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        out: Tensor = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return out


class QEM(nn.Module):
    """Quality enhancement module (Fig. 7c): layer normalisation, GELU, convolution, channel attention; residual."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            LayerNorm(channels), nn.GELU(), conv3x3(channels, channels), ChannelAttention(channels, reduction)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Refine features (B, C, H, W)."""
        out: Tensor = x + self.body(x)
        return out


class ClassGroup(NamedTuple):
    """Where one class of one image lies: indices into the flattened (B H W) positions, int64."""

    members: Tensor
    keys: Tensor


def class_groups(labels: Tensor, keys: int) -> list[ClassGroup]:
    """Group the positions of labels (B, H, W) by image and class, with at most ``keys`` sampled keys each.

    The sample steps through a class by the golden ratio: even, repeatable on every device, and in no step with the
    image's width. Label 0 (unlabelled) is a class of its own.
    """
    labels = labels.cpu().long()
    own = (labels + 256 * torch.arange(len(labels))[:, None, None]).flatten()
    groups = []
    for value in own.unique():
        members = torch.nonzero(own == value).flatten()
        chosen = members
        if len(members) > keys:
            turns = torch.arange(keys, dtype=torch.float64) * 0.6180339887498949
            chosen = members[((turns % 1) * len(members)).long().sort().values]
        groups.append(ClassGroup(members, chosen))
    return groups


def same_class_conv3x3(x: Tensor, conv: nn.Conv2d, labels: Tensor) -> Tensor:
    """C_3x3 that takes neighbours of another class for zero, at the cost of a plain one.

    Features (B, C, H, W), labels (B, H, W) of the same size.
    """
    height, width = x.shape[2:]
    padded = F.pad(x, (1, 1, 1, 1))
    around = F.pad(labels.long(), (1, 1, 1, 1), value=-1)
    out = None if conv.bias is None else conv.bias[None, :, None, None].to(x.dtype)
    for dy in range(3):
        for dx in range(3):
            same = around[:, dy : dy + height, dx : dx + width] == labels
            neighbour = padded[:, :, dy : dy + height, dx : dx + width] * same[:, None].to(x.dtype)
            term = F.conv2d(neighbour, conv.weight[:, :, dy : dy + 1, dx : dx + 1])
            out = term if out is None else out + term
    assert out is not None
    return out


def nlm_eq6(
    features: Tensor,
    attend: Callable[[Tensor], Tensor],
    project: Callable[[Tensor], Tensor],
    feed_forward: Callable[[Tensor], Tensor],
) -> Tensor:
    """Eq. 6 for features (B, C, H, W).

    ``attend`` is L_NLA(L_LN(.)), ``project`` the C_3x3, ``feed_forward`` is C_1x1(L_GELU(C_1x1(L_LN(.)))).
    """
    x = project(attend(features)) + features
    return feed_forward(x) + x


class NonLocalAttention(nn.Module):
    """L_NLA: every position gathers from sampled positions of its own class in its own image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Linear(channels, channels // 2)
        self.key = nn.Linear(channels, channels // 2)
        self.value = nn.Linear(channels, channels)

    def forward(self, x: Tensor, groups: Sequence[ClassGroup]) -> Tensor:
        """Features (B, C, H, W) and the groups of their labels."""
        b, c, h, w = x.shape
        flat = x.permute(0, 2, 3, 1).reshape(-1, c)
        out = torch.zeros_like(flat)
        for group in groups:
            members, sampled = group.members.to(x.device), flat[group.keys.to(x.device)]
            gathered = F.scaled_dot_product_attention(
                self.query(flat[members])[None], self.key(sampled)[None], self.value(sampled)[None]
            )
            out = out.index_copy(0, members, gathered[0].to(out.dtype))
        return out.reshape(b, h, w, c).permute(0, 3, 1, 2)


class NLM(nn.Module):
    """Non-local module (Eq. 6) within each semantic class; nothing passes from one class to another."""

    def __init__(self, channels: int, keys: int) -> None:
        super().__init__()
        self.keys = keys
        self.norm = LayerNorm(channels)
        self.attention = NonLocalAttention(channels)
        self.project = conv3x3(channels, channels)
        self.feed_forward = nn.Sequential(
            LayerNorm(channels), nn.Conv2d(channels, channels, 1), nn.GELU(), nn.Conv2d(channels, channels, 1)
        )

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Features (B, C, H, W) and their labels (B, H, W)."""
        groups, near = class_groups(labels, self.keys), labels.to(x.device)
        return nlm_eq6(
            x,
            lambda f: self.attention(self.norm(f), groups),
            lambda f: same_class_conv3x3(f, self.project, near),
            self.feed_forward,
        )


class PostEnhancement(nn.Module):
    """Enhance the recombined image as a whole.

    The last convolution starts at zero, so that an untrained network returns the enhanced image it was given.
    """

    def __init__(self, config: PostConfig | None = None, main_channels: int = 32) -> None:
        super().__init__()
        self.config = config = config or PostConfig()
        c, r = config.widths, config.reduction
        self.head = conv3x3(3, c[0])
        self.join = nn.Conv2d(c[0] + main_channels, c[0], 1)
        self.know = nn.ModuleList(CompressionModulation(width, 2**level) for level, width in enumerate(c))
        self.encode = nn.ModuleList(_qems(width, n, r) for width, n in zip(c, config.down, strict=True))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairwise(c))
        self.nlm = NLM(c[-1], config.keys)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(c))
        self.decode = nn.ModuleList(_qems(width, n, r) for width, n in zip(c, config.up, strict=True))
        self.tail = conv3x3(c[0], 3)
        nn.init.zeros_(self.tail.weight)
        if self.tail.bias is not None:
            nn.init.zeros_(self.tail.bias)

    def forward(
        self, compressed: Tensor, enhanced: Tensor, features: Tensor, labels: Tensor, condition: Tensor
    ) -> Tensor:
        """Return I_enh+.

        Parameters
        ----------
        compressed, enhanced : (B, 3, H, W)
            I_comp and I_enh, 0-1, the corner on the JPEG grid; any size.
        features : (B, C, H, W)
            SAM features of the main network.
        labels : (B, H, W)
            Terrain labels 0-4 (uint8 or int64); at 1/4 scale every fourth counts. Unlabelled (0) is a fifth class.
        condition : (B, 12)

        Returns
        -------
        (B, 3, H, W) float32, about 0-1, not clipped.
        """
        height, width = compressed.shape[2:]
        rows, columns = height + -height % 4, width + -width % 4
        compressed, features = reflect_to(compressed, rows, columns), reflect_to(features, rows, columns)
        coarse = reflect_to(labels[:, None], rows, columns)[:, 0, ::4, ::4]
        x = self.join(torch.cat([self.head(compressed), features.to(compressed.dtype)], dim=1))
        skips: list[Tensor] = []
        for level, encode in enumerate(self.encode):
            if level:
                skips.append(x)
                x = self.down[level - 1](F.avg_pool2d(x, 2))
            x = encode(self.know[level](x, condition))
        x = self.decode[-1](self.nlm(x, coarse))
        for level in (1, 0):
            x = F.interpolate(self.up[level](x), scale_factor=2, mode="bilinear") + skips[level]
            x = self.decode[level](x)
        out: Tensor = enhanced.float() + self.tail(x).float()[:, :, :height, :width]
        return out


def _qems(channels: int, count: int, reduction: int) -> nn.Sequential:
    return nn.Sequential(*(QEM(channels, reduction) for _ in range(count)))
