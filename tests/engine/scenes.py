"""Small scenes for the tests: textures, JPEG files of any kind, and networks with random weights."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

import marsqe.weights
from marsqe.image import MarsImage
from marsqe.samples import sample_path
from marsqe.terrain import Terrain

TINY: dict[str, dict[str, Any]] = {
    "marsqe-swift": {"widths": [4, 4, 4], "encoder": [1, 1], "middle": 1, "decoder": [1, 1], "unshuffle": 2},
    "marsqe-lite": {"widths": [8, 8, 8], "blocks": 1, "reduction": 4, "d": 4},
    "marsqe": {
        "main": {"widths": [8, 8, 8], "blocks": 1, "reduction": 4, "d": 4},
        "post": {"widths": [8, 8, 16], "down": [1, 1, 1], "up": [1, 1, 1], "keys": 32, "reduction": 4},
    },
}
"""Configurations of every preset that run in milliseconds."""

KINDS = {"marsqe-swift": "swift", "marsqe-lite": "lite", "marsqe": "full"}


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
    import torch
    from safetensors.torch import save

    from marsqe.enhancement import networks
    from marsqe.networks.build import build_network

    folder.mkdir(exist_ok=True)
    for name in names:
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
