"""From a preset's JSON-ready configuration to a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from marsqe.errors import WeightsError
from marsqe.networks.marsqe import LiteConfig, MarsQE, MarsQEConfig, MarsQELite
from marsqe.networks.post import PostConfig
from marsqe.networks.swift import MarsQESwift, SwiftConfig


def _tuples(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}


def build_network(kind: str, config: Mapping[str, Any]) -> nn.Module:
    """Build an untrained network.

    Parameters
    ----------
    kind : {"swift", "lite", "full"}
    config : mapping
        Fields of ``SwiftConfig``, ``LiteConfig`` or, for "full", ``main`` and ``post`` with those of ``LiteConfig``
        and ``PostConfig``; lists stand for tuples.

    Raises
    ------
    WeightsError
        Where this version knows no such kind or field.
    """
    try:
        if kind == "swift":
            return MarsQESwift(SwiftConfig(**_tuples(config)))
        if kind == "lite":
            return MarsQELite(LiteConfig(**_tuples(config)))
        if kind == "full":
            parts = MarsQEConfig(LiteConfig(**_tuples(config["main"])), PostConfig(**_tuples(config["post"])))
            return MarsQE(parts)
    except (TypeError, KeyError) as error:
        raise WeightsError(
            f"This version cannot build a network of kind '{kind}' from its configuration ({error}). "
            "The weights are from another version: update napari-marsqe."
        ) from error
    raise WeightsError(f"This version knows no network of kind '{kind}'. Update napari-marsqe.")
