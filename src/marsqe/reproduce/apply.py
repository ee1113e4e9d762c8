"""Run one system on one compressed image."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import marsqe
from marsqe.colour import as_8bit, as_rgb
from marsqe.devices import resolve_device
from marsqe.enhancement.faithful import cell_for, coefficients_of, hold
from marsqe.enhancement.matched import run_with_references
from marsqe.enhancement.networks import Job, loaded, run_windows
from marsqe.errors import ReadError, WeightsError
from marsqe.image import MarsImage, Pixels
from marsqe.matching import load_dictionary, match_steps, twin_compression
from marsqe.networks.conditioning import condition_vector
from marsqe.networks.rivals import find_rival
from marsqe.progress import run
from marsqe.reproduce.systems import RANDOM, WITHOUT, System, card_beside, preset_for
from marsqe.results import Matches
from marsqe.terrain import CLASSES, Terrain

if TYPE_CHECKING:
    from torch import nn

_BATCH = 8
_PATIENCE = 600
_SEED = 1


def apply(system: System, image: MarsImage, terrain: Terrain, device: str = "cpu") -> Pixels:
    """Enhance a compressed image with a system.

    Parameters
    ----------
    system : System
        One without a ``reason``.
    image : MarsImage
        8-bit, in the frame that its file stores.
    terrain : Terrain
        Of the compressed image, for systems with references.
    device : str

    Returns
    -------
    ndarray
        Pixels in the shape and dtype of the image's.

    Raises
    ------
    MarsqeError
        If weights, device or program fail.
    """
    if system.kind == "anchor":
        return image.pixels
    if system.kind == "program":
        return smoothed(image)
    matches = _matches(system, image, terrain) if system.kind == "own" else None
    if system.kind == "own" and system.file is None and system.only != WITHOUT:
        return marsqe.enhance(
            image, system.base, device, terrain=terrain, matches=matches, faithful=system.projected
        ).pixels
    place = str(resolve_device(device))
    bundled = system.kind == "own" and system.file is None
    network = (
        loaded(system.base, place) if bundled else network_of(system.base, system.file, system.weights_sha256, place)
    )
    values = _rival(network, image) if matches is None else _own(network, system, image, terrain, matches, device)
    coefficients = coefficients_of(image) if system.projected else None
    if coefficients is not None:
        decoded, subsampling = image.pixels.astype(np.uint8, copy=False), image.compression.subsampling or (1, 1)
        return hold(values, decoded, coefficients, subsampling, cell_for(image.compression))
    return cast(Pixels, np.rint(np.clip(values, 0, image.data_range)).astype(image.pixels.dtype))


def _matches(system: System, image: MarsImage, terrain: Terrain) -> Matches:
    """References of the tiles' own classes, all of one class, or any; of no meaning for systems without references."""
    if system.only in CLASSES:
        label = CLASSES.index(system.only) + 1
        terrain = Terrain(np.full(image.shape, label, np.uint8))
    matches = run(match_steps(image, terrain, load_dictionary()))
    return _any_references(matches) if system.only == RANDOM else matches


def _any_references(matches: Matches) -> Matches:
    """For every tile one of the whole dictionary, drawn with a fixed seed."""
    patches = load_dictionary().patches
    places = [(label, index) for label in sorted(patches) for index in range(len(patches[label]))]
    drawn = np.random.default_rng(_SEED).integers(len(places), size=matches.shape)
    classes, references = np.moveaxis(np.array(places)[drawn], -1, 0)
    return replace(matches, classes=classes.astype(np.uint8), references=references.astype(np.int64))


def _own(
    network: nn.Module, system: System, image: MarsImage, terrain: Terrain, matches: Matches, device: str
) -> NDArray[np.float64]:
    """One of our presets with weights from a file, run exactly as the product runs bundled ones."""
    compression, scaled = image.compression, as_rgb(image.pixels).astype(np.float32) / np.float32(image.full_scale)
    tables = None if image.metadata.get("colour_transform") == "RGB" else compression.tables
    condition = condition_vector(tables, compression.subsampling or (1, 1), colour=image.is_colour)
    job = Job(scaled, condition, None, resolve_device(device), _BATCH)
    preset = preset_for(system.base, system.file)
    if system.only == WITHOUT or not preset.uses_references:
        alone: Any = network
        result = run(run_windows(alone.trunk if system.only == WITHOUT else network, job))
    else:
        dictionary = load_dictionary()
        labels = terrain.labels if preset.uses_labels else None
        twins = twin_compression(image, dictionary)
        result = run(run_with_references(network, job, matches, dictionary, twins, labels, colour=image.is_colour))
    values: NDArray[np.float64] = result.astype(np.float64) * image.full_scale
    return values if image.is_colour else values.mean(axis=2)


def _rival(network: nn.Module, image: MarsImage) -> NDArray[np.float64]:
    from marsqe.train.evaluate import run_network

    condition = condition_vector(None, colour=image.is_colour)  # rivals leave it aside
    return run_network(network, as_8bit(image.pixels), condition) * (image.data_range / 255)


@lru_cache(maxsize=3)
def network_of(base: str, file: Path | None, sha256: str | None, device: str) -> nn.Module:
    """Network of a system with weights from a file, on a device, in evaluation mode; the last few are kept.

    Raises
    ------
    WeightsError
        If the file holds no tensors, or those of another network.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from marsqe.networks.build import build_network
    from marsqe.networks.registry import PRESETS

    if file is None:
        raise WeightsError(f"{base} has no weights; give --weights {base}=FILE")
    if base in PRESETS:
        preset = preset_for(base, file)
        network = build_network(preset.kind, preset.config)
    else:
        network = find_rival(base).build(**card_beside(file).get("config", {}))
    try:
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load_file(file).items()})
    except (RuntimeError, SafetensorError) as error:
        raise WeightsError(
            f"{file} does not hold the weights of {base} ({str(error).splitlines()[0]}); give the file that training "
            "wrote, with its card beside it where the configuration is not the usual one"
        ) from error
    network.eval().requires_grad_(False)
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def smoothed(image: MarsImage) -> Pixels:
    """What the program ``jpegqs`` makes of a JPEG, with its usual settings.

    Raises
    ------
    ReadError
        If there is no JPEG file behind the image, or the program fails.
    """
    data = image.metadata.get("encoded")
    if data is None and image.path is not None:
        data = image.path.read_bytes()
    if data is None:
        raise ReadError("jpegqs needs a JPEG file; these are pixels alone")
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "in.jpg", Path(folder) / "out.jpg"
        before.write_bytes(data)
        try:
            subprocess.run(["jpegqs", before, after], check=True, capture_output=True, timeout=_PATIENCE)
            with Image.open(after) as found:
                pixels = np.asarray(found.convert("RGB" if image.is_colour else "L"))
        except (OSError, subprocess.SubprocessError) as error:
            raise ReadError(f"jpegqs failed ({error}); leave it out with --systems") from error
    return pixels
