"""What is learned from a batch: the outputs of a network, whatever its inputs, and the loss on them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from marsqe.networks.marsqe import PATCH, MarsQE
from marsqe.networks.padding import join_tiles, split_tiles
from marsqe.networks.swift_ref import MarsQESwiftRef
from marsqe.train.losses import loss_eq7, relative_charbonnier, relative_squared, relative_weights


class Trainee(nn.Module):
    """A network behind one interface.

    Several processes and mixed precision work on what ``forward`` does: the references are encoded in it, too.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        compressed: Tensor,
        condition: Tensor,
        raw_references: Tensor | None = None,
        twins: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """All outputs (B, 3, S, S) that learn.

        Parameters
        ----------
        compressed : (B, 3, S, S)
            0-1.
        condition : (B, 12)
        raw_references, twins : (B, n, 3, 128, 128), optional
            0-1, for each of the n tiles of a patch.
        labels : (B, S, S), optional
        """
        network: Any = self.network
        if raw_references is None or twins is None:
            return (
                tuple(network.exits(compressed, condition))
                if hasattr(network, "exits")
                else (network(compressed, condition),)
            )
        each = condition.repeat_interleave(raw_references.shape[1], dim=0)
        encoded = network.encode_references(raw_references.flatten(0, 1), twins.flatten(0, 1), each)
        if isinstance(network, MarsQE):
            return tuple(network(compressed, condition, encoded, labels))
        if isinstance(network, MarsQESwiftRef):
            return (network(compressed, condition, encoded),)
        tiles = network(split_tiles(compressed, PATCH), each, encoded).enhanced
        return (join_tiles(tiles, *compressed.shape[2:]),)


LOSSES = {"charbonnier": relative_charbonnier, "squared": relative_squared}
"""Losses of the networks with one kind of output, by name."""


def batch_loss(
    network: nn.Module, outputs: tuple[Tensor, ...], compressed: Tensor, raw: Tensor, loss: str = "charbonnier"
) -> Tensor:
    """Eq. 7 where there are the enhanced and the post-enhanced image, otherwise the mean over all outputs."""
    if isinstance(network, MarsQE):
        enhanced, post_enhanced = outputs
        return loss_eq7(enhanced, post_enhanced, raw, weights=relative_weights(compressed, raw))
    return torch.stack([LOSSES[loss](output, compressed, raw) for output in outputs]).mean()
