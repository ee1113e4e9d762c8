"""Enhance an image band by band, so that memory is bounded by the width of the image and not by its size."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.codecs.coefficients import Coefficients
from marsqe.colour import as_rgb
from marsqe.devices import resolve_device
from marsqe.enhancement.finishing import finished
from marsqe.enhancement.networks import STEP, Job, loaded, run_tiles, run_windows, with_retry
from marsqe.enhancement.pipeline import condition_of
from marsqe.enhancement.windows import BAND, MARGIN
from marsqe.errors import SettingError
from marsqe.image import Compression, MarsImage, Pixels
from marsqe.matching import dictionary_of, match_steps, twin_compression, working_dictionary
from marsqe.networks.registry import AUTO, PRESETS, Preset, choose, find
from marsqe.progress import Progress, Steps
from marsqe.results import TILE, Matches, Region
from marsqe.segmentation.large import LargeTerrain
from marsqe.terrain import Terrain
from marsqe.weights import is_bundled

if TYPE_CHECKING:
    import torch
    from torch import nn

ReadRows = Callable[[int, int], NDArray[Any]]
ReadBlocks = Callable[[Region], Coefficients]
"""The coefficients of a rectangle on the JPEG's grid."""

_UNIT: Final = 128
"""Bands are a multiple of this: of tiles, of every JPEG grid, and of the halvings of a pyramid."""


@dataclass(frozen=True)
class Mosaic:
    """What is enhanced: facts, rows of pixels, terrain, and the JPEG's coefficients where they are to be kept."""

    header: MarsImage
    read: ReadRows
    terrain: LargeTerrain
    blocks: ReadBlocks | None = None


@dataclass(frozen=True)
class Band:
    """Enhanced rows from ``top`` on, their labels, and the tiles' matches where the model uses references."""

    top: int
    pixels: Pixels
    labels: NDArray[np.uint8]
    matches: Matches | None


def choose_for_mosaic(model: str, device: torch.device) -> Preset:
    """The preset for a mosaic.

    Raises
    ------
    SettingError, WeightsError
        Where there is no such model, or it has to see the whole image at once.
    """
    preset = choose(model, device.type)
    if not preset.uses_labels:
        return preset
    if model == AUTO:
        others = [name for name in PRESETS if is_bundled(name) and not find(name).uses_labels]
        if others:
            return max(map(find, others), key=lambda p: p.macs_cached)
    raise SettingError(
        f"{preset.name} looks at the whole image at once, which this one is too large for; choose another model, or "
        "--no-windowed if there is memory enough"
    )


def bands_steps(
    mosaic: Mosaic,
    preset: Preset,
    device: str,
    sink: Callable[[Band], None],
    *,
    core: int = BAND,
    batch: int = 8,
    precision: str = "auto",
) -> Steps[float]:
    """Enhance from top to bottom, handing each band to ``sink``; returns the seconds that computing took.

    Windows have the margin of those of a whole image, so the result is the same but for rounding. ``core`` is the side
    of a window and the height of a band, a multiple of 128.
    """
    if core % _UNIT or core < _UNIT:
        raise SettingError(f"windows must be a multiple of {_UNIT} pixels, not {core}")
    place, header = resolve_device(device), mosaic.header
    yield Progress(f"Loading {preset.name}", 0, 1)
    network = loaded(preset.name, place.type)
    twins = _twins(mosaic) if preset.uses_references else header.compression
    height, seconds = header.shape[0], 0.0
    for top in range(0, height, core):
        yield Progress(STEP, top, height)
        started = time.perf_counter()
        bottom = min(top + core, height)
        labels = mosaic.terrain.rows(top, bottom)
        matches: Matches | None = None
        if preset.uses_references:
            matches = yield from _match(mosaic, twins, top, bottom)
        pixels = yield from _band(mosaic, network, place, (top, bottom), twins, matches, core, batch, precision)
        seconds += time.perf_counter() - started
        sink(Band(top, pixels, labels, matches))
    yield Progress(STEP, height, height)
    return seconds


def _twins(mosaic: Mosaic) -> Compression:
    """Compression of the references' twins: judged by the middle of the image where the file has no tables."""
    header = mosaic.header
    middle = max(0, header.shape[0] // 2 - 4 * TILE) // TILE * TILE
    sample = header.with_pixels(mosaic.read(middle, min(header.shape[0], middle + 8 * TILE)))
    return twin_compression(sample, working_dictionary())


def _match(mosaic: Mosaic, twins: Compression, top: int, bottom: int) -> Steps[Matches]:
    """Matches of a band's tiles; one row of tiles more on each side, whose pixels the descriptor looks at."""
    first, last = max(0, top - TILE), min(mosaic.header.shape[0], bottom + TILE)
    crop = mosaic.header.with_pixels(mosaic.read(first, last))
    found = yield from match_steps(crop, Terrain(mosaic.terrain.rows(first, last)), twins_of=twins)
    rows = slice((top - first) // TILE, (top - first) // TILE + -(-(bottom - top) // TILE))
    parts = {name: getattr(found, name)[rows] for name in ("classes", "references", "divergences", "candidates")}
    return replace(found, **parts, similarity=found.similarity[rows])


def _band(
    mosaic: Mosaic,
    network: nn.Module,
    place: torch.device,
    rows: tuple[int, int],
    twins: Compression,
    matches: Matches | None,
    core: int,
    batch: int,
    precision: str,
) -> Steps[Pixels]:
    header, (top, bottom) = mosaic.header, rows
    first, last = max(0, top - MARGIN), min(header.shape[0], bottom + MARGIN)
    source = mosaic.read(first, last)
    out = np.empty((bottom - top, *source.shape[1:]), source.dtype)
    width = header.shape[1]
    # References are encoded once for each band, so their tiles go together; windows go one by one.
    step = core if matches is None else width
    for left in range(0, width, step):
        right = min(left + step, width)
        frame = Region(max(0, left - MARGIN), first, min(width, right + MARGIN) - max(0, left - MARGIN), last - first)
        if matches is not None:
            frame = Region(0, top, width, bottom - top)
        piece = source[frame.y - first : frame.y - first + frame.height, frame.x : frame.x + frame.width]
        inner = Region(left - frame.x, top - frame.y, right - left, bottom - top)
        scaled = as_rgb(piece).astype(np.float32) / np.float32(header.full_scale)

        def attempt(size: int, scaled: NDArray[np.float32] = scaled, inner: Region = inner) -> Steps[Any]:
            job = Job(scaled, condition_of(header), inner, place, size, precision=precision)
            if matches is None:
                return run_windows(network, job, max(16, core * size // batch // 16 * 16))
            return run_tiles(*(network, job, matches, dictionary_of(matches), twins), colour=header.is_colour)

        enhanced: NDArray[np.float32] = yield from _silent(with_retry(attempt, batch), top, header.shape[0])
        cut = enhanced[inner.y : inner.y + inner.height, inner.x : inner.x + inner.width]
        blocks = None if mosaic.blocks is None else mosaic.blocks(Region(left, top, right - left, bottom - top))
        received = source[top - first : bottom - first, left:right]
        out[:, left:right] = finished(cut, header, received, blocks)
    return out


def _silent(steps: Steps[Any], top: int, height: int) -> Steps[Any]:
    """Progress of the whole in place of a window's: each of its parts is still a moment at which to cancel."""
    try:
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                return stop.value
            yield Progress(STEP, top, height)
    finally:
        steps.close()
