"""marsqe-swift-ref: marsqe-swift as a trunk, with texture from matched references fused into its decoder.

The trunk's own encoder gives the features of the patch, of the compressed and of the raw reference; TEM (Eq. 2-4)
finds and transfers blocks tile by tile, TFM (Eq. 5) fuses them. A last convolution that begins at zero joins the
result to the trunk's features: untrained, the network is its trunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from marsqe.networks.marsqe import PATCH, raw_condition
from marsqe.networks.padding import join_tiles, split_tiles
from marsqe.networks.swift import MarsQESwift, SwiftConfig
from marsqe.networks.texture import TEM, TFM, EncodedReference, fuse_eq5


@dataclass(frozen=True)
class SwiftRefConfig:
    """The trunk, and the branch at its two finer levels."""

    trunk: SwiftConfig = field(default_factory=SwiftConfig)
    reduction: int = 8
    d: int = 4
    """Side of TEM's blocks in features."""


class ReferenceBranch(nn.Module):
    """TFM at one level, joined to the trunk's features.

    Its channel attention is that of each tile, as where every patch is fused by itself: an image then gives the same
    in one piece and in windows.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.tfm = TFM(channels, reduction)
        self.join = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.join.weight)
        if self.join.bias is not None:
            nn.init.zeros_(self.join.bias)

    def forward(self, transferable: Tensor, decoded: Tensor, side: int) -> Tensor:
        """Transferable and decoded features (B, C, H, W), tiles of ``side`` features, to decoded features."""

        def attention(x: Tensor) -> Tensor:
            weights = self.tfm.attention.weights(split_tiles(x, side))
            return join_tiles(weights.expand(-1, -1, side, side), *x.shape[2:])

        fused = fuse_eq5(transferable, decoded, self.tfm.project, attention, self.tfm.fuse)
        out: Tensor = decoded + self.join(fused)
        return out


class MarsQESwiftRef(nn.Module):
    """Enhance compressed pixels with the help of a reference for every tile of 128.

    Input as for :class:`MarsQESwift`; the corner also lies on the grid of tiles.
    """

    def __init__(self, config: SwiftRefConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SwiftRefConfig()
        self.trunk = MarsQESwift(config.trunk)
        self.tem = TEM(config.d)
        fine, coarse, _ = config.trunk.widths
        self.fine, self.coarse = (ReferenceBranch(width, config.reduction) for width in (fine, coarse))

    def freeze_trunk(self) -> None:
        """Let training change the branch alone."""
        self.trunk.requires_grad_(False)

    def encode_references(self, raw: Tensor, compressed: Tensor, condition: Tensor) -> list[EncodedReference]:
        """Encode raw references and their compressed twins, both (B, 3, 128, 128), once for many tiles.

        Returns one :class:`EncodedReference` per level, finest first; ``condition`` (B, 12) describes the twins.
        """
        keys = self.trunk.encode(compressed, condition)
        values = self.trunk.encode(raw, raw_condition(condition))
        return [self.tem.encode(key, value) for key, value in zip(keys, values, strict=True)]

    def forward(self, compressed: Tensor, condition: Tensor, references: Sequence[EncodedReference]) -> Tensor:
        """Enhance images (B, 3, H, W).

        Parameters
        ----------
        compressed : (B, 3, H, W)
            0-1.
        condition : (B, 12)
        references : per level
            One reference per tile of 128, image by image, row by row.

        Returns
        -------
        Tensor
            (B, 3, H, W) float32.
        """
        fine, coarse = self.trunk.encode(compressed, condition)
        for_fine, for_coarse = references
        side = PATCH // self.config.trunk.unshuffle
        decoded = self.trunk.decode_coarse(coarse, condition)
        decoded = self.coarse(self._transferable(coarse, for_coarse, side // 2), decoded, side // 2)
        decoded = self.trunk.decode_fine(decoded, fine, condition)
        decoded = self.fine(self._transferable(fine, for_fine, side), decoded, side)
        return self.trunk.to_image(decoded, compressed)

    def _transferable(self, features: Tensor, reference: EncodedReference, side: int) -> Tensor:
        """Eq. 2-4 in every tile of ``side`` features."""
        blocks, _ = self.tem.extract(split_tiles(features, side), reference)
        return join_tiles(blocks, *features.shape[2:])
