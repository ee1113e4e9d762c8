"""How rivals begin to learn."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from marsqe.networks.rivals import RIVALS
from marsqe.train.rivals import begin, last_convolutions

RESIDUAL: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in RIVALS if name != "arcnn"]
RESIDUAL.append(("arcnn", {"residual": True}))


def begun(name: str, **config: Any) -> nn.Module:
    torch.manual_seed(0)
    network = RIVALS[name].build(**config)
    begin(network)
    return network.eval()


@pytest.mark.parametrize(("name", "config"), RESIDUAL)
def test_one_that_predicts_what_is_missing_begins_as_the_identity(name: str, config: dict[str, Any]) -> None:
    image = torch.rand(1, 3, 32, 64)
    network = begun(name, **config)
    with torch.inference_mode():
        assert torch.equal(network(image), image)
    assert len(last_convolutions(network)) == {"rbqe": 5, "daqe": 3}.get(name, 1)


def test_one_that_predicts_the_image_keeps_its_last_layer() -> None:
    network = begun("arcnn")
    assert last_convolutions(network) == []
    with torch.inference_mode():
        assert network(torch.rand(1, 3, 16, 16)).abs().max() > 0


@pytest.mark.parametrize("name", ["dcad", "cbdnet", "rbqe"])
def test_what_reaches_the_last_layer_does_not_shrink(name: str) -> None:
    """The last layer learns first, and as fast as its input is large."""

    def reaching(network: nn.Module) -> float:
        seen: list[float] = []
        (*_, last) = last_convolutions(network)
        handle = last.register_forward_hook(lambda _m, inputs, _o: seen.append(float(inputs[0].std())))
        with torch.inference_mode():
            network.eval()(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)))
        handle.remove()
        return seen[0]

    torch.manual_seed(0)
    assert reaching(begun(name)) > 3 * reaching(RIVALS[name].build())
