"""What a run leaves besides weights: its curve, and the validation of its end as tables."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from marsqe.export.atomic import atomic
from marsqe.train.checkpoint import Progress
from marsqe.train.evaluate import Gain

COLUMNS = ("split", "quality", "images", "jpeg_psnr", "gain_mean", "gain_worst", "worst_image")
IMAGE_COLUMNS = ("split", "file", "quality", "jpeg_psnr", "gain")


def add_to_curve(out: Path, now: Progress, loss: float) -> None:
    """Append a line to ``curve.csv``."""
    path = out / "curve.csv"
    new = not path.exists()
    with path.open("a", newline="") as stream:
        rows = csv.writer(stream)
        if new:
            rows.writerow(["step", "elapsed_s", "loss"])
        rows.writerow([now.step, round(now.elapsed, 1), round(loss, 6)])


def table(gains: Sequence[Gain]) -> list[dict[str, Any]]:
    """One row per split and quality: mean PSNR of the JPEG, mean and worst gain in dB, and whose the worst is."""
    groups: dict[tuple[str, int], list[Gain]] = {}
    for gain in gains:
        groups.setdefault((gain.split, gain.quality), []).append(gain)
    rows = []
    for (split, quality), group in groups.items():
        worst = min(group, key=lambda g: g.gain)
        jpeg, mean = (float(np.mean(values)) for values in ([g.jpeg for g in group], [g.gain for g in group]))
        numbers = (len(group), round(jpeg, 3), round(mean, 4), round(worst.gain, 4))
        rows.append(dict(zip(COLUMNS, (split, quality, *numbers, worst.file), strict=True)))
    return rows


def image_rows(gains: Sequence[Gain]) -> list[dict[str, Any]]:
    """One row per image and quality: PSNR of the JPEG and gain in dB, for comparisons image by image."""
    numbers = [(g.split, g.file, g.quality, round(g.jpeg, 4), round(g.gain, 4)) for g in gains]
    return [dict(zip(IMAGE_COLUMNS, row, strict=True)) for row in numbers]


def write_outcome(out: Path, gains: Sequence[Gain], now: Progress, facts: Mapping[str, Any]) -> None:
    """Write ``validation.csv``, the table; ``validation_images.csv``; ``validation.json``, the table with facts."""
    rows = table(gains)
    _write_rows(out / "validation.csv", COLUMNS, rows)
    _write_rows(out / "validation_images.csv", IMAGE_COLUMNS, image_rows(gains))
    document = {**asdict(now), **facts, "validation": rows}
    with atomic(out / "validation.json") as part:
        part.write_text(json.dumps(document, indent=1) + "\n")


def _write_rows(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    with atomic(path) as part, part.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
