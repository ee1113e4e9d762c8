"""Semantic-related texture: extracting it from the reference (TEM, Eq. 2-4) and fusing it (TFM, Eq. 5)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from marsqe.networks.attention import ChannelAttention, conv3x3


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Switch autocast off on a device for a while."""
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def unfold_blocks(features: Tensor, d: int) -> Tensor:
    """Cut features (B, C, H, W) into non-overlapping d x d blocks (B, N, C d d), row by row.

    Where a side is no multiple of ``d`` its last row or column is repeated.
    """
    bottom, right = -features.shape[2] % d, -features.shape[3] % d
    if bottom or right:
        features = F.pad(features, (0, right, 0, bottom), mode="replicate")
    return F.pixel_unshuffle(features, d).flatten(2).transpose(1, 2)


def fold_blocks(blocks: Tensor, d: int, height: int, width: int) -> Tensor:
    """Put blocks (B, N, C d d) back to features (B, C, height, width); the inverse of :func:`unfold_blocks`."""
    rows, columns = -(-height // d), -(-width // d)
    grid = blocks.transpose(1, 2).unflatten(2, (rows, columns))
    return F.pixel_shuffle(grid, d)[:, :, :height, :width]


def relevance_eq2_3(query_blocks: Tensor, key_blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Eq. 2 and 3: the most relevant key of every query by normalised inner product, and how relevant it is.

    Always in float32: rounding to bfloat16 changes which key wins.

    Parameters
    ----------
    query_blocks : (B, N, D)
        Blocks of the compressed patch's features.
    key_blocks : (B, M, D)
        Blocks of the compressed reference's features.

    Returns
    -------
    indices : (B, N) int64
        D of Eq. 2, in 0..M-1.
    similarities : (B, N) float32
        S of Eq. 3, in -1..1; 0 for an all-zero block.
    """
    with full_precision(query_blocks.device):
        queries = F.normalize(query_blocks.float(), dim=2)
        keys = F.normalize(key_blocks.float(), dim=2)
        similarities, indices = torch.matmul(queries, keys.transpose(1, 2)).max(dim=2)
    return indices, similarities


def transfer_eq4(value_blocks: Tensor, indices: Tensor, similarities: Tensor) -> Tensor:
    """Eq. 4: the raw reference's block at each index, times the similarity.

    Value blocks (B, M, D), indices and similarities (B, N); returns (B, N, D) in the values' dtype.
    """
    chosen = value_blocks.gather(1, indices[:, :, None].expand(-1, -1, value_blocks.shape[2]))
    return chosen * similarities[:, :, None].to(value_blocks.dtype)


def fuse_eq5(
    transferable: Tensor,
    decoded: Tensor,
    project: Callable[[Tensor], Tensor],
    attention: Callable[[Tensor], Tensor],
    fuse: Callable[[Tensor], Tensor],
) -> Tensor:
    """Eq. 5 for features (B, C, H, W): ``project`` and ``fuse`` are its two C_3x3, ``attention`` its CA map."""
    residual = project(transferable) - decoded
    return fuse(decoded + residual * attention(decoded))


class EncodedReference(NamedTuple):
    """A reference at one level, as TEM uses it; what is cached between tiles."""

    keys: Tensor
    """Blocks of the compressed reference's features, (B, M, D)."""
    values: Tensor
    """Blocks of the raw reference's features, (B, M, D)."""

    def select(self, indices: Tensor) -> EncodedReference:
        """The references at ``indices`` (int64, one per tile) of a batch that is a dictionary."""
        return EncodedReference(self.keys[indices], self.values[indices])


class TEM(nn.Module):
    """Texture extracting module: query, key and value features to transferable features (Fig. 7a).

    It has no parameters; ``d`` is the side of a block.
    """

    def __init__(self, d: int = 4) -> None:
        super().__init__()
        self.d = d

    def encode(self, f_ref_hat: Tensor, f_ref: Tensor) -> EncodedReference:
        """Unfold a reference's features (B, C, H, W) once, for use with many patches."""
        return EncodedReference(unfold_blocks(f_ref_hat, self.d), unfold_blocks(f_ref, self.d))

    def extract(self, f_comp: Tensor, reference: EncodedReference) -> tuple[Tensor, Tensor]:
        """Transferable features (B, C, H, W) for the patch's features, and the similarities as a map (B, h, w)."""
        height, width = f_comp.shape[2:]
        indices, similarities = relevance_eq2_3(unfold_blocks(f_comp, self.d), reference.keys)
        blocks = transfer_eq4(reference.values, indices, similarities)
        rows = -(-height // self.d)
        return fold_blocks(blocks, self.d, height, width), similarities.unflatten(1, (rows, -1))

    def forward(self, f_comp: Tensor, f_ref_hat: Tensor, f_ref: Tensor) -> tuple[Tensor, Tensor]:
        """Query, key and value features (B, C, H, W); see :meth:`extract`."""
        return self.extract(f_comp, self.encode(f_ref_hat, f_ref))


class TFM(nn.Module):
    """Texture fusing module (Fig. 7b, Eq. 5)."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.project = conv3x3(channels, channels)
        self.attention = ChannelAttention(channels, reduction)
        self.fuse = conv3x3(channels, channels)

    def forward(self, transferable: Tensor, decoded: Tensor) -> Tensor:
        """Fuse transferable into decoded features, both (B, C, H, W)."""
        return fuse_eq5(transferable, decoded, self.project, self.attention.weights, self.fuse)
