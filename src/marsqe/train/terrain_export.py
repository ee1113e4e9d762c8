"""From a finished run to the bundled terrain weights: fp16 tensors, a JSON card and the same card to read.

``python -m marsqe.train.terrain_export --data DIR --run RUN --out resources/weights`` with one ``--failure TEXT``
for each known failure.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file, save

from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg
from marsqe.export.atomic import write_whole
from marsqe.networks.segformer import SegFormer, SegFormerConfig
from marsqe.segmentation.prepare import VIEWS
from marsqe.segmentation.run import WEIGHTS
from marsqe.train.terrain_data import Labelled, labelled_images
from marsqe.train.terrain_scores import scores

QUALITY: Final = 30
"""JPEG quality at which the compressed panoramas are scored."""

PICTURES: Final = "../../docs/images/terrain-val.png"

FACTS: Final = {
    "kind": "terrain",
    "trained_on": "MarsScapes (46 colour panoramas of Curiosity's Mastcam), AI4MARS (540 gray Navcam images of "
    "Curiosity), MarsData rocks (81 colour images, of which two show products that are also in test/mars32k); encoder "
    "initialised with EfficientNet-Lite0 weights from ImageNet",
    "split": "validation: 25 MarsScapes panoramas, 120 AI4MARS and 18 MarsData images that training did not see; "
    "weights are a moving average at the end of a run; of three such runs, and averages of them, validation chose",
    "licence": "BSD-3-Clause; the encoder started from EfficientNet-Lite0 weights under Apache-2.0",
    "credits": "Images NASA/JPL-Caltech and NASA/JPL-Caltech/MSSS; labels MarsScapes (Liu et al. 2023), "
    "AI4MARS (Swan et al. 2021), MarsData (Xiao et al.)",
}


def half(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Floating-point tensors in 16 bits, counters as they are."""
    return {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in state.items()}


def compressed(images: Iterable[Labelled], quality: int) -> Iterator[Labelled]:
    """The same images after JPEG at a quality factor, 4:2:0."""
    for image in images:
        yield replace(image, rgb=decode_jpeg(encode_jpeg(image.rgb, quality=quality)))


def validation(network: SegFormer, data: Path) -> dict[str, Any]:
    """Scores of all validation images as they are, and of the panoramas without gravel, in gray and compressed."""
    images = list(labelled_images(data, "val"))
    panoramas = [image for image in images if image.source == "marsscapes"]
    found = scores(network, images)
    sure = (image for image in labelled_images(data, "val", gravel=False) if image.source == "marsscapes")
    found["marsscapes, gravel not scored"] = scores(network, sure)["marsscapes"]
    found["marsscapes, colour removed"] = scores(network, panoramas, gray=True)["marsscapes"]
    at_quality = scores(network, compressed(panoramas, QUALITY))["marsscapes"]
    return found | {f"marsscapes, JPEG quality {QUALITY}": at_quality}


def hours(run: Path) -> float:
    """Hours of training that a run's curve tells."""
    with (run / "curve.csv").open(newline="") as stream:
        return round(max(float(row["elapsed_s"]) for row in csv.DictReader(stream)) / 3600, 2)


def readable(card: dict[str, Any]) -> str:
    """The card as Markdown."""
    rows = []
    for name, found in card["validation"].items():
        iou = found.get("iou", {"rock": found.get("rock_iou")})
        cells = [f"{iou[c]:.3f}" if iou.get(c) is not None else "-" for c in ("sky", "sand", "soil", "rock")]
        mean = f"{found['mean_iou']:.3f}" if "mean_iou" in found else "-"
        rows.append(f"| {name} | {' | '.join(cells)} | {mean} | {found['accuracy']:.3f} |")
    failures = [f"- {text}" for text in card["known_failures"]]
    return "\n".join(
        [
            f"# {card['name']}",
            "",
            "A network of SegFormer's kind (EfficientNet-Lite0 encoder, self-attention on the coarse scales, all-MLP "
            f"decoder; {card['parameters']:,} parameters) that labels every pixel sky, sand, soil or rock.",
            "",
            "## Validation",
            "",
            "Intersection over union per class, their mean, and pixel accuracy, over the labelled pixels of validation "
            f"images at full size, seen as the product does: the mean of {VIEWS[0]} and {VIEWS[1]} times the working "
            "size. `-`: the source has no such label.",
            "",
            "| images | sky | sand | soil | rock | mean IoU | accuracy |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"![Validation images, labels of the network, labels of the annotators]({PICTURES})",
            "",
            "Sky light blue, sand yellow, soil vermilion, rock dark blue.",
            "",
            "## Known failures",
            "",
            *failures,
            "",
            "## Making",
            "",
            f"- Trained on: {card['trained_on']}.",
            f"- Split: {card['split']}.",
            f"- Command: `{card['command']}`",
            f"- {card['hours']} hours on {card['device']}.",
            f"- Weights SHA-256: `{card['weights_sha256']}`",
            f"- Licence: {card['licence']}.",
            f"- Credits: {card['credits']}.",
            "",
        ]
    )


def main(arguments: list[str] | None = None) -> None:
    """Export a run."""
    parser = argparse.ArgumentParser(description="Export the terrain network of a run.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="resources/weights")
    parser.add_argument("--command", default="python -m marsqe.train.terrain --data DATA --out RUN --budget 2300")
    parser.add_argument("--device", default="one shared core of a CPU")
    parser.add_argument("--failure", action="append", default=[], help="a known failure, for the card")
    given = parser.parse_args(arguments)
    config = SegFormerConfig()
    tensors = half(load_file(given.run / "average.safetensors"))
    network = SegFormer(config).eval()
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    content = save(tensors)
    card = {
        "name": WEIGHTS,
        **FACTS,
        "parameters": sum(p.numel() for p in network.parameters()),
        "config": asdict(config),
        "weights_sha256": hashlib.sha256(content).hexdigest(),
        "command": given.command,
        "hours": hours(given.run),
        "device": given.device,
        "validation": validation(network, given.data),
        "known_failures": given.failure,
    }
    given.out.mkdir(parents=True, exist_ok=True)
    write_whole(given.out / f"{WEIGHTS}.safetensors", content)
    write_whole(given.out / f"{WEIGHTS}.json", (json.dumps(card, indent=1) + "\n").encode())
    write_whole(given.out / f"{WEIGHTS}.md", readable(card).encode())


if __name__ == "__main__":
    main()
