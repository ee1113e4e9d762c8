"""Starting a deeper network from a shallower one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from marsqe.errors import SettingError
from marsqe.networks.swift import MarsQESwift, SwiftConfig
from marsqe.train.growth import grow_from

SHALLOW = SwiftConfig(widths=(4, 4, 4), encoder=(1, 1), middle=1, decoder=(1, 1))


def shallow() -> MarsQESwift:
    torch.manual_seed(0)
    network = MarsQESwift(SHALLOW)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network.eval()


def test_a_grown_network_computes_what_the_smaller_one_did_and_can_learn() -> None:
    small = shallow()
    grown = MarsQESwift(replace(SHALLOW, encoder=(2, 1), middle=3)).eval()
    assert grow_from(grown, small.state_dict()) == 3
    x, condition = torch.rand(1, 3, 32, 32), torch.rand(1, 12)
    assert torch.equal(grown(x, condition), small(x, condition))
    grown(x, condition).square().mean().backward()
    gradient = grown.middle[2].conv2.weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_weights_of_the_same_network_are_simply_loaded() -> None:
    small, other = shallow(), MarsQESwift(SHALLOW)
    assert grow_from(other, small.state_dict()) == 0
    assert all(torch.equal(a, b) for a, b in zip(small.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize("config", [replace(SHALLOW, widths=(8, 4, 4)), replace(SHALLOW, unshuffle=4)])
def test_weights_of_another_width_are_refused(config: SwiftConfig) -> None:
    with pytest.raises(SettingError, match="shallower network"):
        grow_from(MarsQESwift(config), shallow().state_dict())


def test_weights_of_a_deeper_network_are_refused() -> None:
    deeper = MarsQESwift(replace(SHALLOW, middle=2))
    with pytest.raises(SettingError, match=r"middle\.1"):
        grow_from(MarsQESwift(SHALLOW), deeper.state_dict())
