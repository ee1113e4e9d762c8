"""Small scenes for the tests: textures, JPEG files of any kind, and networks with random weights."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save
from scipy.ndimage import gaussian_filter
from torch import nn

import marsqe
import marsqe.weights
from marsqe.enhancement import networks
from marsqe.enhancement.pipeline import enhance
from marsqe.image import MarsImage
from marsqe.networks.build import build_network
from marsqe.samples import sample_path
from marsqe.terrain import Terrain

TINY: dict[str, dict[str, Any]] = {
    "marsqe-swift": {"widths": [4, 4, 4], "encoder": [1, 1], "middle": 1, "decoder": [1, 1], "unshuffle": 2},
    "marsqe-swift-ref": {
        "trunk": {"widths": [4, 4, 4], "encoder": [1, 1], "middle": 1, "decoder": [1, 1], "unshuffle": 2},
        "reduction": 4,
        "d": 4,
    },
    "marsqe-lite": {"widths": [8, 8, 8], "blocks": 1, "reduction": 4, "d": 4},
    "marsqe": {
        "main": {"widths": [8, 8, 8], "blocks": 1, "reduction": 4, "d": 4},
        "post": {"widths": [8, 8, 16], "down": [1, 1, 1], "up": [1, 1, 1], "keys": 32, "reduction": 4},
    },
}
"""Configurations of every preset that run in milliseconds."""

VALIDATION = ("val/msl_mastcam", "val/m2020_hazcam")

KINDS = {"marsqe-swift": "swift", "marsqe-swift-ref": "swift-ref", "marsqe-lite": "lite", "marsqe": "full"}


def texture(height: int, width: int, *, colour: bool = True, seed: int = 0) -> NDArray[np.uint8]:
    """A soft random texture with detail at several scales, 8-bit."""
    random = np.random.default_rng(seed)
    shape = (height, width, 3) if colour else (height, width)
    total = np.zeros(shape)
    for sigma in (0.8, 3, 12):
        blurred = gaussian_filter(random.normal(size=shape), (sigma, sigma, 0)[: len(shape)], mode="wrap")
        total += blurred / max(blurred.std(), 1e-9)
    return np.clip(np.rint(128 + 22 * total), 0, 255).astype(np.uint8)


def truth_crop(height: int, width: int, name: str = "perseverance-hazcam", y: int = 160, x: int = 240) -> NDArray[Any]:
    """A crop of a bundled sample's truth."""
    with Image.open(sample_path(name, "truth")) as image:
        return np.ascontiguousarray(np.asarray(image)[y : y + height, x : x + width])


def jpeg_bytes(pixels: NDArray[np.uint8], quality: int = 30, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, **options)
    return stream.getvalue()


def orientation_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def ground(image: MarsImage, label: int = 3) -> Terrain:
    """Terrain of one class everywhere."""
    return Terrain(np.full(image.shape, label, np.uint8))


def patchwork(shape: tuple[int, int]) -> Terrain:
    """Terrain with every label, 0 included, in stripes of 11 pixels."""
    rows = np.arange(shape[0]) // 11 % 5
    return Terrain(np.broadcast_to(rows[:, None], shape).astype(np.uint8))


def bundle_tiny(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str, scale: float = 0.05) -> None:
    """Pretend that an installation brings tiny networks with random weights under the presets' names."""
    folder.mkdir(exist_ok=True)
    for name in names:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            network = build_network(KINDS[name], TINY[name])
        generator = torch.Generator().manual_seed(7)
        state = network.state_dict()
        weights = {
            key: value + scale * torch.randn(value.shape, generator=generator) if value.is_floating_point() else value
            for key, value in state.items()
        }
        content = save({key: value.contiguous() for key, value in weights.items()})
        (folder / f"{name}.safetensors").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        card = {"name": name, "kind": "enhancement", "config": TINY[name], "weights_sha256": digest}
        (folder / f"{name}.json").write_text(json.dumps(card))
    monkeypatch.setattr(marsqe.weights, "_folder", lambda: folder)
    networks.loaded.cache_clear()


def equal_within(a: NDArray[Any], b: NDArray[Any], most: int = 1) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and int(np.abs(a.astype(int) - b.astype(int)).max()) <= most


def scene(height: int = 70, width: int = 90, *, colour: bool = True, quality: int = 30, seed: int = 0) -> MarsImage:
    return marsqe.simulate_downlink(texture(height, width, colour=colour, seed=seed), quality)


def enhanced(image: MarsImage, model: str = "marsqe-swift", **options: Any) -> marsqe.Enhancement:
    return enhance(image, model, "cpu", terrain=options.pop("terrain", ground(image)), **options)


class Spy(nn.Module):
    """Gives the input back and remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.conditions: list[NDArray[np.float32]] = []
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, pixels: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        assert torch.is_inference_mode_enabled()
        assert pixels.shape[2] % 16 == pixels.shape[3] % 16 == 0
        assert 0 <= float(pixels.min()) <= float(pixels.max()) <= 1
        self.conditions.append(condition.numpy().copy())
        self.shapes.append(tuple(pixels.shape))
        return pixels


def put(data: Path, split: str, name: str, pixels: NDArray[np.uint8]) -> None:
    """Add an image to a data folder and to its list."""
    listing, file = data / "manifest.csv", data / split / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
    new = not listing.exists()
    with listing.open("a", newline="") as stream:
        rows = csv.writer(stream)
        if new:
            rows.writerow(["split", "file", "credit"])
        rows.writerow([split, f"{split}/{name}", "NASA"])
