"""Validation: gain over JPEG per set and quality, mean and worst image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from marsqe.codecs.coefficients import coefficients_from_bytes
from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg, standard_tables
from marsqe.colour import as_rgb
from marsqe.devices import autocast
from marsqe.enhancement.faithful import cell_of_quality, project
from marsqe.enhancement.networks import to_planes
from marsqe.judgement import psnr
from marsqe.networks.conditioning import condition_vector
from marsqe.train.corpus import listed_files, load_pixels


@dataclass(frozen=True)
class Gain:
    """PSNR of one image: the JPEG's and what the network adds, in dB."""

    split: str
    file: str
    quality: int
    jpeg: float
    gain: float


@torch.inference_mode()
def run_network(network: nn.Module, pixels: NDArray[np.uint8], condition: NDArray[np.float32]) -> NDArray[np.float64]:
    """Enhance a whole image (H, W[, 3]) uint8 in one pass, as the product does; in DN, neither rounded nor clipped."""
    gray = pixels.ndim == 2
    rgb = as_rgb(pixels)
    device = next(network.parameters()).device
    planes = to_planes(rgb.astype(np.float32) / np.float32(255), device)
    with autocast(device):
        out = network(planes, torch.from_numpy(condition)[None].to(device))
    values = out[0, :, : pixels.shape[0], : pixels.shape[1]].double().cpu().numpy().transpose(1, 2, 0) * 255
    result: NDArray[np.float64] = values.mean(axis=2) if gray else values
    return result


def validation_gains(
    network: nn.Module,
    data: Path,
    splits: Sequence[str],
    qualities: Iterable[int],
    *,
    crop: int | None = None,
    most: int | None = None,
    faithful: bool = False,
) -> Iterator[Gain]:
    """Compress each image of the splits (4:2:0), enhance it, compare.

    Parameters
    ----------
    crop : int, optional
        Use only the central square of this side, a multiple of 8 (quick look while training).
    most : int, optional
        At most this many images of each split.
    faithful : bool
        Project onto the JPEG's quantization cells, as the product does.
    """
    for split in splits:
        for path in listed_files(data, split)[:most]:
            raw = load_pixels(path)
            if crop:
                y, x = (max(0, (n - crop) // 16 * 8) for n in raw.shape[:2])
                raw = raw[y : y + crop, x : x + crop]
            for quality in qualities:
                data_of = encode_jpeg(raw, quality=quality)
                jpeg = decode_jpeg(data_of)
                condition = condition_vector(standard_tables(quality), (2, 2), colour=raw.ndim == 3)
                values = run_network(network, jpeg, condition)
                if faithful:
                    values = project(values, coefficients_from_bytes(data_of), (2, 2), cell_of_quality(quality))
                enhanced = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
                before = psnr(jpeg, raw)
                yield Gain(split, path.name, quality, before, psnr(enhanced, raw) - before)


def summarise(gains: Iterable[Gain]) -> dict[str, dict[int, tuple[float, float]]]:
    """Mean and worst gain by split and quality."""
    table: dict[str, dict[int, list[float]]] = {}
    for g in gains:
        table.setdefault(g.split, {}).setdefault(g.quality, []).append(g.gain)
    return {s: {q: (float(np.mean(v)), float(min(v))) for q, v in row.items()} for s, row in table.items()}
