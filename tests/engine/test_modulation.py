"""Knowledge of the compression, added to features: everywhere the same, but for the phase of the grid."""

from __future__ import annotations

import pytest
import torch

from marsqe.networks.modulation import CompressionModulation


@pytest.mark.parametrize("known", [0.0, 1.0])
@pytest.mark.parametrize(("stride", "size"), [(1, (24, 40)), (2, (12, 8)), (4, (7, 9)), (8, (5, 3))])
def test_features_are_scaled_shifted_and_told_the_phase(stride: int, size: tuple[int, int], known: float) -> None:
    torch.manual_seed(0)
    module = CompressionModulation(6, stride)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, 6, *size).contiguous(memory_format=torch.channels_last)
    before = x.clone()
    condition = torch.randn(2, 12)
    condition[:, -1] = known
    scale, shift = (part[:, :, None, None] for part in module.perceptron(condition).chunk(2, dim=1))
    wanted = x * (1 + torch.tanh(scale)) + shift
    if module.phase is not None:
        rows, columns = torch.arange(size[0]) % (8 // stride), torch.arange(size[1]) % (8 // stride)
        wanted = wanted + known * module.phase[:, :, rows][..., columns]
    found = module(x, condition)
    torch.testing.assert_close(found, wanted)
    assert torch.equal(x, before), "what it was given stays as it was"
    found.sum().backward()
    assert module.phase is None or bool((module.phase.grad != 0).any()) == bool(known)
