"""Bundle weights: half precision, their hash and a model card with the validation that they passed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save
from torch import nn

from marsqe.networks.build import build_network
from marsqe.networks.registry import PRESETS
from marsqe.train.evaluate import Gain, summarise, validation_gains

GATE_QUALITIES = (20, 30, 40, 50, 65, 75, 85, 95)


@dataclass(frozen=True)
class Origin:
    """How weights came to be, for their card."""

    command: str
    hours: float
    device: str
    trained_on: str
    known_failures: str
    steps: int = 0
    licence: str = "BSD-3-Clause"
    credits: str = "NASA/JPL-Caltech/MSSS imagery; per-file credits in NOTICE.md"


def half(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Weights rounded to half precision, contiguous."""
    return {name: value.half().contiguous() for name, value in weights.items()}


def trained(name: str, weights: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a preset with trained weights as they will be bundled (half precision)."""
    tensors = half(load_file(weights))
    network = build_network(PRESETS[name].kind, PRESETS[name].config)
    network.load_state_dict(tensors)
    return network.eval(), tensors


def bundle(
    name: str,
    weights: Path,
    data: Path,
    out: Path,
    origin: Origin,
    splits: Sequence[str] = ("val/msl_mastcam", "val/m2020_hazcam"),
    qualities: Sequence[int] = GATE_QUALITIES,
    crop: int | None = None,
) -> list[Gain]:
    """Validate weights as the product uses them and write ``NAME.safetensors`` and ``NAME.json`` to ``out``.

    Returns
    -------
    list of Gain
        Of every validation image and quality, for the gate.
    """
    network, tensors = trained(name, weights)
    gains = list(validation_gains(network, data, splits, qualities, crop=crop, faithful=True))
    content = save(tensors)
    preset = PRESETS[name]
    card = {
        "name": name,
        "kind": "enhancement",
        "config": dict(preset.config),
        "parameters": preset.parameters,
        "macs_1152x1600": preset.macs_1152x1600,
        "macs_cached": preset.macs_cached,
        "weights_sha256": hashlib.sha256(content).hexdigest(),
        "weights_bytes": len(content),
        "validation_note": "RGB PSNR over the JPEG (Pillow, 4:2:0) in dB, faithful mode on, whole images, CPU",
        "validation": card_table(gains),
        **asdict(origin),
    }
    out.mkdir(parents=True, exist_ok=True)
    _replace(out / f"{name}.safetensors", content)
    _replace(out / f"{name}.json", (json.dumps(card, indent=1) + "\n").encode())
    return gains


def card_table(gains: Sequence[Gain]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean and worst gain by split and quality, rounded for the card."""
    return {
        split: {str(q): {"mean": round(mean, 3), "worst": round(worst, 3)} for q, (mean, worst) in row.items()}
        for split, row in summarise(gains).items()
    }


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)
