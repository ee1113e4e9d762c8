"""The paper's networks (Fig. 6): MarsQE-lite works patch by patch with a reference; MarsQE adds post-enhancement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from marsqe.networks.attention import SAM, ChannelAttentionBlock, conv3x3
from marsqe.networks.modulation import CompressionModulation
from marsqe.networks.padding import join_tiles, split_tiles
from marsqe.networks.post import PostConfig, PostEnhancement
from marsqe.networks.texture import TEM, TFM, EncodedReference

PATCH = 128
"""Side S of a patch in pixels (paper, Section V-A)."""


@dataclass(frozen=True)
class LiteConfig:
    """Widths and depths of :class:`MarsQELite`; one width per level."""

    widths: tuple[int, ...] = (32, 72, 96)
    blocks: int = 2
    """Channel-attention blocks per level, in the encoder and in the decoder."""
    reduction: int = 8
    d: int = 4
    """Side of TEM's blocks in features."""


@dataclass(frozen=True)
class MarsQEConfig:
    """Both parts of :class:`MarsQE`."""

    main: LiteConfig = field(default_factory=LiteConfig)
    post: PostConfig = field(default_factory=PostConfig)


class LiteOutput(NamedTuple):
    """What the main network gives for patches."""

    enhanced: Tensor
    """I_enh (B, 3, S, S), float32, about 0-1, not clipped."""
    features: Tensor
    """SAM features for the post-enhancement (B, C, S, S)."""
    similarities: list[Tensor]
    """Eq. 3 per level, finest first: (B, S/d, S/d), (B, S/2d, S/2d), ..."""


class MarsQEOutput(NamedTuple):
    """Both enhanced images (B, 3, H, W) of Eq. 7, float32, about 0-1, not clipped."""

    enhanced: Tensor
    post_enhanced: Tensor


def raw_condition(condition: Tensor) -> Tensor:
    """What the encoder is told of a raw reference: quantization steps of one and no 8x8 grid. Shape (B, 12)."""
    bands, colour = torch.full_like(condition[:, :8], -1.0), condition[:, 10:11]
    return torch.cat([bands, torch.zeros_like(condition[:, :2]), colour, torch.zeros_like(colour)], dim=1)


def _blocks(channels: int, config: LiteConfig) -> nn.Sequential:
    return nn.Sequential(*(ChannelAttentionBlock(channels, config.reduction) for _ in range(config.blocks)))


class Encoder(nn.Module):
    """Features at every level; one encoder for the patch, the compressed and the raw reference."""

    def __init__(self, config: LiteConfig) -> None:
        super().__init__()
        c = config.widths
        self.head = conv3x3(3, c[0])
        self.know = nn.ModuleList(CompressionModulation(width, 2**level) for level, width in enumerate(c))
        self.blocks = nn.ModuleList(_blocks(width, config) for width in c)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairwise(c))

    def forward(self, pixels: Tensor, condition: Tensor) -> list[Tensor]:
        """Pixels (B, 3, S, S) in 0-1 to features (B, C_l, S/2^l, S/2^l), finest first."""
        features: list[Tensor] = []
        for level, (know, blocks) in enumerate(zip(self.know, self.blocks, strict=True)):
            x = self.down[level - 1](F.avg_pool2d(features[-1], 2)) if level else self.head(pixels)
            features.append(blocks(know(x, condition)))
        return features


class MarsQELite(nn.Module):
    """Main network: L-level encoder-decoder with texture transfer from a matched reference at every scale.

    Patches are (B, 3, S, S) in 0-1 (gray repeated three times), S a multiple of 2^(L-1), their corner on the JPEG
    grid; conditions are (B, 12), see :mod:`marsqe.networks.conditioning`.
    """

    def __init__(self, config: LiteConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LiteConfig()
        c = config.widths
        self.encoder = Encoder(config)
        self.tem = TEM(config.d)
        self.tfm = nn.ModuleList(TFM(width, config.reduction) for width in c)
        self.decode = nn.ModuleList(_blocks(width, config) for width in c)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(c))
        self.sam = SAM(c[0])

    def encode_references(self, raw: Tensor, compressed: Tensor, condition: Tensor) -> list[EncodedReference]:
        """Encode raw references P_ref and their compressed twins, both (B, 3, S, S), once for many patches.

        Returns one :class:`EncodedReference` per level; ``select`` picks the one that SMM matched to each patch.
        ``condition`` describes the compressed twins.
        """
        keys = self.encoder(compressed, condition)
        values = self.encoder(raw, raw_condition(condition))
        return [self.tem.encode(key, value) for key, value in zip(keys, values, strict=True)]

    def forward(self, compressed: Tensor, condition: Tensor, references: Sequence[EncodedReference]) -> LiteOutput:
        """Enhance patches P_comp, each with its own encoded reference (batch by batch in the same order)."""
        encoded = self.encoder(compressed, condition)
        extracted = [self.tem.extract(f, reference) for f, reference in zip(encoded, references, strict=True)]
        decoded = encoded[-1]
        for level in reversed(range(len(encoded))):
            if level < len(encoded) - 1:
                decoded = F.interpolate(self.up[level](decoded), scale_factor=2, mode="bilinear") + encoded[level]
            decoded = self.decode[level](self.tfm[level](extracted[level][0], decoded))
        attended = self.sam(decoded, compressed)
        return LiteOutput(attended.image, attended.features, [similarity for _, similarity in extracted])


class MarsQE(nn.Module):
    """The whole approach: :class:`MarsQELite` on patches, then :class:`PostEnhancement` on the recombined image.

    To bound memory, run ``main`` on batches of patches and ``post`` on what they give; ``forward`` does it in one go.
    """

    def __init__(self, config: MarsQEConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MarsQEConfig()
        self.main = MarsQELite(config.main)
        self.post = PostEnhancement(config.post, config.main.widths[0])

    def encode_references(self, raw: Tensor, compressed: Tensor, condition: Tensor) -> list[EncodedReference]:
        """See :meth:`MarsQELite.encode_references`."""
        return self.main.encode_references(raw, compressed, condition)

    def forward(
        self, compressed: Tensor, condition: Tensor, references: Sequence[EncodedReference], labels: Tensor
    ) -> MarsQEOutput:
        """Enhance images.

        Parameters
        ----------
        compressed : (B, 3, H, W)
            I_comp, 0-1, any size.
        condition : (B, 12)
        references : per level
            One reference per patch of 128, image by image, row by row.
        labels : (B, H, W)
            Terrain labels 0-4.
        """
        height, width = compressed.shape[2:]
        patches = split_tiles(compressed, PATCH)
        each = condition.repeat_interleave(len(patches) // len(compressed), dim=0)
        main = self.main(patches, each, references)
        enhanced = join_tiles(main.enhanced, height, width)
        features = join_tiles(main.features, height, width)
        return MarsQEOutput(enhanced, self.post(compressed, enhanced, features, labels, condition))
