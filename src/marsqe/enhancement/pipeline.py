"""What a user calls: understand what is missing, run a network, keep the result faithful, record how it was made."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import marsqe
from marsqe.colour import as_rgb
from marsqe.devices import half_precision, resolve_device
from marsqe.enhancement.faithful import cell_for
from marsqe.enhancement.finishing import Finish, stored_region
from marsqe.enhancement.matched import run_with_references
from marsqe.enhancement.networks import Job, loaded, run_windows, with_retry
from marsqe.enhancement.windows import CORE
from marsqe.errors import SettingError
from marsqe.image import MarsImage, to_stored
from marsqe.matching import Dictionary, OwnEntry, chosen_by_hand, dictionary_of, match_steps, twin_compression
from marsqe.networks.conditioning import condition_vector
from marsqe.networks.registry import Preset, choose
from marsqe.progress import Progress, Steps, run
from marsqe.results import TILE, Enhancement, Matches, Region
from marsqe.segmentation import segment_steps
from marsqe.terrain import Terrain

if TYPE_CHECKING:
    import torch


def enhance_steps(
    image: MarsImage,
    model: str = "auto",
    device: str = "auto",
    region: Region | None = None,
    *,
    terrain: Terrain | None = None,
    matches: Matches | None = None,
    faithful: bool = True,
    batch: int = 8,
    tiles: NDArray[np.bool_] | None = None,
    forbidden: Iterable[str] = (),
    precision: str = "auto",
    first: Region | None = None,
    parts: bool = True,
) -> Steps[Enhancement]:
    """Enhance with progress; see :func:`enhance`. Leaving the generator cancels at the next tile.

    With ``tiles`` (rows, columns) only these are enhanced of the region; see :mod:`marsqe.enhancement.again`. Where no
    matches are given, no tile gets one of the ``forbidden`` references; see :func:`marsqe.match`.

    The :class:`Progress` of a tile that is done carries its pixels in ``parts``, unless these are not wanted: making
    them ready to be shown takes a tenth of the time. What meets ``first``, the part that
    somebody looks at, is done before the rest; the result is the same in any order.
    """
    region, first = _checked(region, image.shape), _checked(first, image.shape)
    place = resolve_device(device)
    half_precision(place, precision)  # refuses a wrong name before any work
    preset = choose(model, place.type)
    if batch < 1:
        raise SettingError(f"the tile batch must be 1 or more, not {batch}")
    _check_understanding(terrain, matches, image.shape)
    yield Progress(f"Loading {preset.name}", 0, 1)
    network = loaded(preset.name, place.type)
    if terrain is None:
        terrain = yield from segment_steps(image, device)
    if matches is None:
        matches = yield from match_steps(image, terrain, None, forbidden)
    dictionary = dictionary_of(matches)
    started = time.perf_counter()
    stored = to_stored(image.pixels, image.orientation)
    scaled = as_rgb(stored).astype(np.float32) / np.float32(image.full_scale)
    condition = condition_of(image)
    finish = Finish(image, region, faithful=faithful)
    where, looked_at = stored_region(region, image), stored_region(first, image)
    matched = matches
    if preset.uses_references and image.orientation != 1:
        matched = yield from _stored_match_steps(image, terrain, matches, dictionary)

    def attempt(size: int) -> Steps[NDArray[np.float32]]:
        job = Job(scaled, condition, where, place, size, tiles, precision, looked_at, finish.part if parts else None)
        # Windows shrink with the batch, so that another try needs less memory here too.
        core = max(16, CORE * size // batch // 16 * 16)
        if not preset.uses_references:
            return run_windows(network, job, core)
        labels = to_stored(terrain.labels, image.orientation) if preset.uses_labels else None
        twins = twin_compression(image, dictionary)
        return run_with_references(network, job, matched, dictionary, twins, labels, colour=image.is_colour, core=core)

    result = yield from with_retry(attempt, batch)
    yield Progress("Finishing", 0, 1)
    pixels = finish.whole(result)
    seconds = time.perf_counter() - started
    provenance = provenance_of(image, terrain, preset, region, not_held=finish.not_held, dictionary=dictionary.sha256)
    provenance["settings"] = computed_on(place, precision) | provenance["settings"]
    provenance |= references_record(image, matches, dictionary)
    yield Progress("Finishing", 1, 1)
    return Enhancement(pixels, image, terrain, matches, preset.name, place.type, seconds, region, provenance)


def enhance(
    image: MarsImage,
    model: str = "auto",
    device: str = "auto",
    region: Region | None = None,
    *,
    terrain: Terrain | None = None,
    matches: Matches | None = None,
    faithful: bool = True,
    batch: int = 8,
    precision: str = "auto",
) -> Enhancement:
    """Enhance a compressed image.

    Parameters
    ----------
    image : MarsImage
        8-bit or 16-bit, gray or RGB. Pixels are scaled by ``image.full_scale``: 255, 65535, or what the product's
        significant bits hold.
    model : str
        A preset of :func:`marsqe.list_models`, or "auto".
    device : {"auto", "cpu", "cuda", "mps"}
    region : Region, optional
        Enhance only this rectangle; the rest stays as it is.
    terrain, matches : optional
        What was understood before; computed where missing.
    faithful : bool
        Keep every DCT coefficient within its quantization cell, narrowed (JPEG files only); see
        :mod:`marsqe.enhancement.faithful`.
    batch : int
        Tiles computed at once by the models with references; halved when the device runs out of memory.
    precision : {"auto", "float32"}
        "auto" computes in 16 bits where the device is faster with them; "float32" never does. Recorded.

    Returns
    -------
    Enhancement
        Pixels in the input's dtype and shape. The same input, model, device and settings give the same pixels.

    Raises
    ------
    SettingError, WeightsError, DeviceError
        If the region, model or device is none that can be had; the message says what can.
    """
    understood: Any = {"terrain": terrain, "matches": matches}
    settings: Any = {"faithful": faithful, "batch": batch, "precision": precision, "parts": False}
    return run(enhance_steps(image, model, device, region, **understood, **settings))


def _checked(region: Region | None, shape: tuple[int, int]) -> Region | None:
    if region is None:
        return None
    right, bottom = region.x + region.width, region.y + region.height
    fits = region.x >= 0 and region.y >= 0 and right <= shape[1] and bottom <= shape[0]
    if not fits or region.width < 1 or region.height < 1:
        raise SettingError(
            f"the region {region.x} {region.y} {region.width} {region.height} does not lie inside the image of "
            f"{shape[1]} x {shape[0]} pixels; give left, top, width and height within it"
        )
    return region


def _check_understanding(terrain: Terrain | None, matches: Matches | None, shape: tuple[int, int]) -> None:
    if terrain is not None and terrain.labels.shape != shape:
        raise SettingError("the terrain labels and the image differ in size; segment this image again")
    if matches is not None and matches.shape != (-(-shape[0] // TILE), -(-shape[1] // TILE)):
        raise SettingError("the matches are not those of this image; match it again")


def condition_of(image: MarsImage) -> NDArray[np.float32]:
    """What the networks are told of an image's compression; see :mod:`marsqe.networks.conditioning`."""
    # The networks know luma and chroma; components that are R, G and B are no such thing.
    tables = None if image.metadata.get("colour_transform") == "RGB" else image.compression.tables
    return condition_vector(tables, image.compression.subsampling or (1, 1), colour=image.is_colour)


def _stored_match_steps(image: MarsImage, terrain: Terrain, matches: Matches, dictionary: Dictionary) -> Steps[Matches]:
    """Matches on the tiles of the frame that a turned file stores; what was forbidden is so there, too."""
    stored = replace(image, pixels=to_stored(image.pixels, image.orientation), orientation=1)
    forbidden = [dictionary.patch_id(*patch) for patch in matches.forbidden]
    labels = Terrain(to_stored(terrain.labels, image.orientation))
    return (yield from match_steps(stored, labels, dictionary, forbidden))


def references_record(image: MarsImage, matches: Matches, dictionary: Dictionary) -> dict[str, Any]:
    """What somebody did to the references, for the record.

    Those chosen by hand, the forbidden ones, the names of all own ones that were offered, and the origin of each that
    a tile has. The tiles of a turned file are matched in its own frame, where no choice reaches them.
    """
    own = [e for _, entries in sorted(dictionary.entries.items()) for e in entries if isinstance(e, OwnEntry)]
    held = zip(matches.classes.ravel().tolist(), matches.references.ravel().tolist(), strict=True)
    used = {dictionary.patch_id(*patch) for patch in set(held)}
    return {
        "references_by_hand": chosen_by_hand(matches) if image.orientation == 1 else [],
        "references_forbidden": sorted(dictionary.patch_id(*patch) for patch in matches.forbidden),
        "references_own": [entry.patch_id for entry in own],
        "references_own_used": [entry.record() for entry in own if entry.patch_id in used],
    }


def computed_on(place: torch.device, precision: str) -> dict[str, str]:
    """Where, and with which numbers, for the record."""
    half = half_precision(place, precision)
    return {"device": place.type, "precision": "float32" if half is None else str(half).removeprefix("torch.")}


def provenance_of(
    image: MarsImage,
    terrain: Terrain,
    preset: Preset,
    region: Region | None,
    *,
    not_held: str | None,
    dictionary: str,
) -> dict[str, Any]:
    """How an image was enhanced, JSON-ready; ``not_held`` says why it was not held to its JPEG, None where it was."""
    import torch

    from marsqe.weights import read_card

    return {
        "software": f"napari-marsqe {marsqe.__version__}",
        "enhanced": True,
        "source": {
            "name": image.path.name if image.path else image.name,
            "sha256": image.sha256,
            "compression": image.compression.summary(),
            **({"warnings": list(image.warnings)} if image.warnings else {}),
            **({"estimated": image.metadata["estimated"]} if "estimated" in image.metadata else {}),
        },
        "model": {"name": preset.name, "weights_sha256": read_card(preset.name)["weights_sha256"]},
        "terrain": {"source": terrain.source, "sha256": hashlib.sha256(terrain.labels.tobytes()).hexdigest()},
        "dictionary_sha256": dictionary,
        "settings": {
            "region": None if region is None else [int(n) for n in (region.x, region.y, region.width, region.height)],
            "faithful": not_held is None,
            "cell": cell_for(image.compression) if not_held is None else None,
            **({} if not_held is None else {"not_held": not_held}),
        },
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
    }
