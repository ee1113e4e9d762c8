"""Bundle weights: half precision, their hash and a model card with the validation that they passed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save
from torch import nn

from marsqe.export.atomic import write_whole
from marsqe.networks.build import build_network
from marsqe.networks.registry import PRESETS
from marsqe.train.evaluate import Gain, summarise, validation_gains
from marsqe.weights import weights_file

GATE_QUALITIES = (20, 30, 40, 50, 65, 75, 85, 90, 95)

WHOLE = "whole images"
NOTE = (
    "PSNR over all channels in dB, gain over the JPEG (Pillow, 4:2:0), mean and worst image; faithful mode on; "
    f"{WHOLE} on the CPU; halved above quality 90, where the truths, themselves JPEGs of quality 95, are none"
)


@dataclass(frozen=True)
class Origin:
    """How weights came to be, for their card."""

    command: str
    hours: float
    device: str
    trained_on: str
    known_failures: str
    steps: int = 0
    pictures: str = ""
    """Picture of known failures, relative to the card."""
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
    """Validate weights as the product uses them and write them and their card (``NAME.json``, ``NAME.md``).

    With ``crop`` on central squares of that side, a multiple of 8, which the card then says.

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
        "network": preset.kind,
        "config": dict(preset.config),
        "parameters": preset.parameters,
        "macs_1152x1600": preset.macs_1152x1600,
        "macs_cached": preset.macs_cached,
        "weights_sha256": hashlib.sha256(content).hexdigest(),
        "weights_bytes": len(content),
        "validation_note": NOTE if crop is None else NOTE.replace(WHOLE, f"central squares of {crop} pixels"),
        "validation": card_table(gains),
        **asdict(origin),
    }
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / weights_file(name), content)
    write_whole(out / f"{name}.json", (json.dumps(card, indent=1) + "\n").encode())
    write_whole(out / f"{name}.md", readable(card).encode())
    return gains


def readable(card: Mapping[str, Any]) -> str:
    """The card as a page for people."""
    table: Mapping[str, Mapping[str, Mapping[str, float]]] = card["validation"]
    qualities = sorted({q for row in table.values() for q in row}, key=int)
    rows = [
        f"| {split} | " + " | ".join(f"{row[q]['mean']:+.2f} ({row[q]['worst']:+.2f})" for q in qualities) + " |"
        for split, row in table.items()
    ]
    failures = "\n".join(f"- {line}" for line in str(card["known_failures"]).split("; ") if line)
    pictures = f"\n![Where it does worst on the bundled samples]({card['pictures']})\n" if card.get("pictures") else ""
    return f"""# {card["name"]}

{card["parameters"]:,} parameters, {card["macs_1152x1600"] / 1e12:.3f} TMAC at 1152 x 1600. One model for every quality.

## Validation

{card["validation_note"]}.

| set | {" | ".join(f"QF {q}" for q in qualities)} |
|{"---|" * (len(qualities) + 1)}
{chr(10).join(rows)}

## Known failures

{failures or "None is known."}
{pictures}
## Making

- Trained on: {card["trained_on"]}.
- Command: `{card["command"]}`
- {card["hours"]:.2f} hours, {card["steps"]:,} steps, on {card["device"]}.
- Weights SHA-256: `{card["weights_sha256"]}`
- Licence: {card["licence"]}.
- Credits: {card["credits"]}.
"""


def card_table(gains: Sequence[Gain]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean and worst gain by split and quality, rounded for the card."""
    return {
        split: {str(q): {"mean": round(mean, 3), "worst": round(worst, 3)} for q, (mean, worst) in row.items()}
        for split, row in summarise(gains).items()
    }
