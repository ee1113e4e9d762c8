"""Validation: gain over JPEG per set and quality, mean and worst image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from marsqe.codecs.coefficients import coefficients_from_bytes
from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg, standard_tables
from marsqe.colour import as_rgb
from marsqe.devices import autocast
from marsqe.enhancement.faithful import cell_of_quality, hold
from marsqe.enhancement.networks import to_planes
from marsqe.image import Compression
from marsqe.judgement import psnr
from marsqe.networks.conditioning import condition_vector
from marsqe.train.corpus import central_square
from marsqe.train.packed import truths
from marsqe.train.references import run_matched, uses_references

TRUTH_QUALITY: Final = 90
"""Up to this quality factor a truth that was stored as a JPEG of quality 95 may serve at its full size."""


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
    halve_above: int | None = TRUTH_QUALITY,
) -> Iterator[Gain]:
    """Compress each image of the splits (4:2:0), enhance it, compare.

    Networks with references get them as in training, by their nearest of all, for the images have no labels.

    Parameters
    ----------
    data : Path
        Folder with ``manifest.csv``, or a pack.
    crop : int, optional
        Use only the central square of this side, a multiple of 8 (quick look while training).
    most : int, optional
        At most this many images of each split.
    faithful : bool
        Project onto the JPEG's quantization cells, as the product does.
    halve_above : int or None
        Above this quality the image is halved first: a truth that was itself a JPEG of quality 95 is none there.
    """
    for split in splits:
        for name, raw in truths(data, split, most):
            if crop:
                raw = central_square(raw, crop)  # noqa: PLW2901
            for quality in qualities:
                halved = halve_above is not None and quality > halve_above
                truth = np.asarray(Image.fromarray(raw).reduce(2)) if halved else raw
                before, after = compressed_and_enhanced(network, truth, quality, faithful=faithful)
                yield Gain(split, name, quality, before, after - before)


def enhanced_values(network: nn.Module, pixels: NDArray[np.uint8], compression: Compression) -> NDArray[np.float64]:
    """What any network makes of a decoded JPEG (H, W[, 3]) uint8; in DN, neither rounded nor clipped.

    Networks with references are given them as in training.
    """
    condition = condition_vector(compression.tables, compression.subsampling or (1, 1), colour=pixels.ndim == 3)
    if uses_references(network):
        return run_matched(network, pixels, condition, compression)
    return run_network(network, pixels, condition)


def compressed_and_enhanced(
    network: nn.Module, truth: NDArray[np.uint8], quality: int, *, faithful: bool
) -> tuple[float, float]:
    """PSNR in dB of the JPEG (4:2:0) of a truth and of what the network makes of it."""
    data = encode_jpeg(truth, quality=quality)
    jpeg = decode_jpeg(data)
    tables = standard_tables(quality)
    values = enhanced_values(network, jpeg, Compression("JPEG", True, tables, quality, True, (2, 2)))
    if faithful:
        values = hold(values, jpeg, coefficients_from_bytes(data), (2, 2), cell_of_quality(quality)).astype(np.float64)
    enhanced = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return psnr(jpeg, truth), psnr(enhanced, truth)


def summarise(gains: Iterable[Gain]) -> dict[str, dict[int, tuple[float, float]]]:
    """Mean and worst gain by split and quality."""
    table: dict[str, dict[int, list[float]]] = {}
    for g in gains:
        table.setdefault(g.split, {}).setdefault(g.quality, []).append(g.gain)
    return {s: {q: (float(np.mean(v)), float(min(v))) for q, v in row.items()} for s, row in table.items()}
