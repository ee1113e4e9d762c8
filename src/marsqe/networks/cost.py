"""What a network costs: parameters, and multiply-adds at the paper's image size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from marsqe.networks.conditioning import CONDITION_SIZE
from marsqe.networks.marsqe import PATCH, MarsQE, MarsQELite
from marsqe.networks.swift_ref import MarsQESwiftRef
from marsqe.networks.texture import EncodedReference

HEIGHT: Final = 1152
WIDTH: Final = 1600
TILES: Final = -(-HEIGHT // PATCH) * -(-WIDTH // PATCH)
"""117 patches of 128 at 1152x1600, the last column padded."""


def count_parameters(module: nn.Module) -> int:
    """Number of learned values."""
    return sum(p.numel() for p in module.parameters())


def count_macs(name: str, cached: bool) -> int:
    """Multiply-adds of a preset for one image of 1152x1600: matrix products and convolutions, nothing elementwise.

    Parameters
    ----------
    name : str
        Preset.
    cached : bool
        Leave out the encoding of the references, which at run time is done once per file quality; the paper counts
        it for every patch (False).
    """
    from marsqe.networks.registry import build

    return count_module_macs(build(name), cached)


def count_module_macs(network: nn.Module, cached: bool) -> int:
    """As :func:`count_macs`, for a network. Works on the meta device: nothing is computed; ``network`` moves there."""
    network = network.to("meta").eval()
    if isinstance(network, MarsQE):
        # Four bands stand for the four terrain classes; the count does not depend on where they lie.
        labels = (1 + 4 * torch.arange(HEIGHT) // HEIGHT)[None, :, None].expand(1, -1, WIDTH)
        return _with_references(
            network.main,
            cached,
            lambda references: network(_pixels(1, HEIGHT, WIDTH), _condition(1), references, labels),
        )
    if isinstance(network, MarsQELite):
        return _with_references(
            network,
            cached,
            lambda references: network(_pixels(TILES, PATCH, PATCH), _condition(TILES), references),
        )
    if isinstance(network, MarsQESwiftRef):
        return _with_references(
            network, cached, lambda references: network(_pixels(1, HEIGHT, WIDTH), _condition(1), references)
        )
    return _macs(lambda: network(_pixels(1, HEIGHT, WIDTH), _condition(1)))


def _with_references(
    main: MarsQELite | MarsQESwiftRef, cached: bool, run: Callable[[list[EncodedReference]], Any]
) -> int:
    patches, condition = _pixels(TILES, PATCH, PATCH), _condition(TILES)
    if cached:
        references = main.encode_references(patches, patches, condition)
        return _macs(lambda: run(references))
    return _macs(lambda: run(main.encode_references(patches, patches, condition)))


def _macs(run: Callable[[], Any]) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops()) // 2


def _pixels(batch: int, height: int, width: int) -> Tensor:
    return torch.empty(batch, 3, height, width, device="meta")


def _condition(batch: int) -> Tensor:
    return torch.empty(batch, CONDITION_SIZE, device="meta")
