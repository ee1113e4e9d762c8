"""From a preset's JSON-ready configuration to a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from marsqe.errors import WeightsError, in_one_line
from marsqe.networks.marsqe import LiteConfig, MarsQE, MarsQEConfig, MarsQELite
from marsqe.networks.post import PostConfig
from marsqe.networks.swift import MarsQESwift, SwiftConfig
from marsqe.networks.swift_ref import MarsQESwiftRef, SwiftRefConfig

_LARGEST: Final = 2048
"""Largest number in a configuration: a damaged one must not have a hundred thousand layers built first."""


def _numbers(config: Any) -> Iterator[float]:
    if isinstance(config, Mapping):
        config = list(config.values())
    for value in config if isinstance(config, (list, tuple)) else [config]:
        if isinstance(value, (int, float)):
            yield value
        elif isinstance(value, (list, tuple, Mapping)):
            yield from _numbers(value)


def _tuples(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}


def build_network(kind: str, config: Mapping[str, Any]) -> nn.Module:
    """Build an untrained network.

    Parameters
    ----------
    kind : {"swift", "swift-ref", "lite", "full"}
    config : mapping
        Fields of ``SwiftConfig``, ``SwiftRefConfig`` (its ``trunk`` with those of ``SwiftConfig``), ``LiteConfig`` or,
        for "full", ``main`` and ``post`` with those of ``LiteConfig`` and ``PostConfig``; lists stand for tuples.

    Raises
    ------
    WeightsError
        Where this version knows no such kind or field.
    """
    if any(number > _LARGEST for number in _numbers(config)):
        raise WeightsError(
            f"A network of kind '{kind}' has no width or depth above {_LARGEST}; the model card is damaged. Fetch the "
            "weights and their card again."
        )
    try:
        if kind == "swift":
            return MarsQESwift(SwiftConfig(**_tuples(config)))
        if kind == "swift-ref":
            return MarsQESwiftRef(SwiftRefConfig(**{**config, "trunk": SwiftConfig(**_tuples(config["trunk"]))}))
        if kind == "lite":
            return MarsQELite(LiteConfig(**_tuples(config)))
        if kind == "full":
            parts = MarsQEConfig(LiteConfig(**_tuples(config["main"])), PostConfig(**_tuples(config["post"])))
            return MarsQE(parts)
    except Exception as error:  # a damaged configuration leads torch to errors of any kind
        raise WeightsError(
            f"This version cannot build a network of kind '{kind}' from its configuration ({in_one_line(error)}). "
            "The weights are from another version: update napari-marsqe."
        ) from error
    raise WeightsError(f"This version knows no network of kind '{kind}'. Update napari-marsqe.")


def with_weights(make: Callable[[], nn.Module], weights: Mapping[str, Tensor]) -> nn.Module:
    """Build a network around given tensors, in float32, without ever filling one with random numbers first.

    Whatever sizes a damaged configuration names, nothing is allocated for them.

    Raises
    ------
    RuntimeError
        Where names or shapes differ.
    """
    with torch.device("meta"):
        network = make()
    tensors = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in weights.items()}
    network.load_state_dict(tensors, assign=True)
    return network
