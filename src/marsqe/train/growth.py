"""Start a network from a shallower one: what that knows is kept, and new blocks begin as identities."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from marsqe.errors import SettingError
from marsqe.networks.swift import ResidualBlock


def grow_from(network: nn.Module, weights: Mapping[str, Tensor]) -> int:
    """Load weights into a network that may have more residual blocks than the one they are of.

    Blocks are added at the end of their level with a last convolution of zero, so that the grown network computes
    what the smaller one did.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    weights : mapping of str to Tensor
        All weights of the same network, or of one with fewer blocks in a level.

    Returns
    -------
    int
        How many blocks are new.

    Raises
    ------
    SettingError
        Where the weights are not those of a shallower network of the same widths.
    """
    own = network.state_dict()
    new = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, ResidualBlock) and not any(key.startswith(f"{name}.") for key in weights)
    }
    expected = {key for key in own if not any(key.startswith(f"{name}.") for name in new)}
    misfits = sorted(set(weights) ^ expected) + sorted(
        key for key in expected & set(weights) if weights[key].shape != own[key].shape
    )
    if misfits:
        raise SettingError(
            f"these weights are not those of a shallower network of the same design: {misfits[0]} does not fit "
            f"({len(misfits)} tensors in all); choose the preset that they were trained for"
        )
    with torch.no_grad():
        for block in new.values():
            block.conv2.weight.zero_()
            if block.conv2.bias is not None:
                block.conv2.bias.zero_()
    network.load_state_dict(dict(weights), strict=False)
    return len(new)
