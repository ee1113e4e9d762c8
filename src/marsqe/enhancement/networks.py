"""Run the networks on an image, window by window or tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marsqe.colour import as_rgb
from marsqe.devices import autocast
from marsqe.enhancement.windows import CORE, Window, distance, windows
from marsqe.errors import DeviceMemoryError
from marsqe.image import Compression
from marsqe.matching.dictionary import Dictionary
from marsqe.progress import Progress, Steps
from marsqe.results import TILE, Matches, Part, Region

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

STEP = "Enhancing"


@dataclass(frozen=True)
class Job:
    """What a network needs: the stored frame's pixels in 0-1 (H, W, 3), the condition (12,), the region.

    ``tiles`` (rows, columns) says which tiles of the region are wanted, where not all are.
    ``first`` is what is to be done before the rest, in the stored frame; ``show`` makes of the pixels so far and of a
    rectangle that is done what its progress carries.
    """

    pixels: NDArray[np.float32]
    condition: NDArray[np.float32]
    region: Region | None
    device: torch.device
    batch: int = 8
    tiles: NDArray[np.bool_] | None = None
    precision: str = "auto"
    first: Region | None = None
    show: Callable[[NDArray[np.float32], Region], Part | None] | None = None

    def parts(self, pixels: NDArray[np.float32], done: Iterable[Region]) -> tuple[Part, ...]:
        """What can be shown of rectangles that are done."""
        shown = (self.show(pixels, region) for region in done) if self.show is not None else ()
        return tuple(part for part in shown if part is not None)


@lru_cache(maxsize=2)
def loaded(name: str, device: str) -> nn.Module:
    """The network of a preset with its weights on a device; kept, so that a second image does not load it again."""
    import torch

    from marsqe.networks.registry import load

    return load(name).to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]


def to_planes(pixels: NDArray[np.float32], device: torch.device) -> Tensor:
    """(H, W, 3) in 0-1 to (1, 3, H', W'), padded by reflection to multiples of 16."""
    import torch

    from marsqe.networks.padding import reflect_to

    planes = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].to(device)
    height, width = planes.shape[2:]
    planes = reflect_to(planes, height + -height % 16, width + -width % 16)
    return planes.contiguous(memory_format=torch.channels_last)


def run_windows(network: nn.Module, job: Job, core: int | None = None) -> Steps[NDArray[np.float32]]:
    """Enhance with a network of pixels and condition (marsqe-swift), in overlapping windows.

    Returns pixels (H, W, 3); outside the region they are the input's.
    """
    import torch

    out = job.pixels.copy()
    condition = torch.from_numpy(job.condition)[None].to(job.device)
    parts = windows(job.pixels.shape[:2], job.region, CORE if core is None else core)
    if job.first is not None:
        parts.sort(key=partial(window_distance, job.first))
    yield Progress(STEP, 0, len(parts))
    for done, window in enumerate(parts, 1):
        frame = cut(job.pixels, window.frame)
        with torch.inference_mode(), autocast(job.device, job.precision):
            result = network(to_planes(frame, job.device), condition)
        planes = result[0, :, : frame.shape[0], : frame.shape[1]].float().cpu().numpy()
        paste(out, planes.transpose(1, 2, 0), window)
        yield Progress(STEP, done, len(parts), job.parts(out, [window.core]))
    return out


def window_distance(first: Region, window: Window) -> tuple[float, float]:
    """How far a window is from the region that is wanted first, to sort by."""
    return distance(first, window.core)


def cut(pixels: NDArray[Any], r: Region) -> NDArray[Any]:
    """Pixels of a rectangle; a view."""
    return pixels[r.y : r.y + r.height, r.x : r.x + r.width]


def paste(out: NDArray[np.float32], result: NDArray[np.float32], window: Window) -> None:
    """Put the core of a window's result in its place."""
    core, frame = window.core, window.frame
    y, x = core.y - frame.y, core.x - frame.x
    cut(out, core)[:] = result[y : y + core.height, x : x + core.width]


def run_tiles(
    network: nn.Module,
    job: Job,
    matches: Matches,
    dictionary: Dictionary,
    compression: Compression,
    labels: NDArray[np.uint8] | None = None,
    *,
    colour: bool,
) -> Steps[NDArray[np.float32]]:
    """Enhance with a network of patches and references (marsqe-lite, marsqe), tile batch by tile batch.

    Each reference that is needed is encoded once. With ``labels`` the network's post-enhancement follows on the whole
    image; its non-local attention sees all of it, so there memory grows with the image.
    """
    import torch

    from marsqe.networks.padding import join_tiles, split_tiles

    condition = torch.from_numpy(job.condition)[None].to(job.device)
    planes = torch.from_numpy(np.ascontiguousarray(job.pixels.transpose(2, 0, 1)))[None]
    height, width = job.pixels.shape[:2]
    tiles = split_tiles(planes, TILE)
    flat_classes, flat_references = matches.classes.ravel(), matches.references.ravel()
    wanted = _tiles_of(job, matches.shape) if labels is None else np.arange(len(tiles))
    batches = np.array_split(wanted, max(1, -(-len(wanted) // job.batch)))
    places = [[_tile_region(int(i), matches.shape[1], (height, width)) for i in batch] for batch in batches]
    order = list(range(len(batches)))
    if job.first is not None:
        # Batches change places and no tiles their batch: what is computed together is the same in any order.
        nearest = [min(distance(job.first, place) for place in tiles_of) for tiles_of in places]
        order.sort(key=nearest.__getitem__)
    total = len(batches) + (labels is not None)
    main: Any = network if labels is None else network.main
    yield Progress(STEP, 0, total)
    # No context may stay open over a yield: it would hold for the caller too, and close in whatever thread cancels.
    with torch.inference_mode(), autocast(job.device, job.precision):
        needed = sorted({(int(flat_classes[i]), int(flat_references[i])) for i in wanted})
        encoded = _encode_references(main, dictionary, needed, compression, condition, colour, job.batch)
    place_of = {patch: place for place, patch in enumerate(needed)}
    enhanced, shown = tiles.clone(), job.pixels.copy()
    features: Tensor | None = None
    for done, number in enumerate(order, 1):
        batch = batches[number]
        rows = torch.from_numpy(batch)
        index = torch.tensor([place_of[int(flat_classes[i]), int(flat_references[i])] for i in batch])
        with torch.inference_mode(), autocast(job.device, job.precision):
            chosen = [level.select(index.to(job.device)) for level in encoded]
            output = main(tiles[rows].to(job.device), condition.expand(len(batch), -1), chosen)
            enhanced[rows] = output.enhanced.float().cpu()
            if labels is not None:
                if features is None:
                    features = torch.zeros(len(tiles), *output.features.shape[1:], dtype=output.features.dtype)
                features[rows] = output.features.cpu()
        for i, place in zip(batch, places[number], strict=True):
            cut(shown, place)[:] = enhanced[i].permute(1, 2, 0).numpy()[: place.height, : place.width]
        yield Progress(STEP, done, total, job.parts(shown, places[number]))
    result = join_tiles(enhanced, height, width)
    if labels is not None and features is not None:
        network_labels = torch.from_numpy(np.ascontiguousarray(labels))[None].to(job.device)
        whole = (t.to(job.device) for t in (planes, result, join_tiles(features, height, width)))
        post: Any = network.post
        with torch.inference_mode(), autocast(job.device, job.precision):
            result = post(*whole, network_labels, condition).float().cpu()
        yield Progress(STEP, total, total)
    out: NDArray[np.float32] = result[0].permute(1, 2, 0).numpy()
    return out


def _tiles_of(job: Job, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Numbers of the wanted tiles, row by row."""
    wanted = np.ones(shape, bool) if job.tiles is None else job.tiles.copy()
    if job.region is not None:
        r, inside = job.region, np.zeros(shape, bool)
        inside[r.y // TILE : -(-(r.y + r.height) // TILE), r.x // TILE : -(-(r.x + r.width) // TILE)] = True
        wanted &= inside
    return np.flatnonzero(wanted)


def _tile_region(number: int, columns: int, shape: tuple[int, int]) -> Region:
    y, x = number // columns * TILE, number % columns * TILE
    return Region(x, y, min(TILE, shape[1] - x), min(TILE, shape[0] - y))


def _encode_references(
    main: Any,
    dictionary: Dictionary,
    patches: Sequence[tuple[int, int]],
    compression: Compression,
    condition: Tensor,
    colour: bool,
    batch: int,
) -> list[Any]:
    """Encoded references (class, index), in this order; ``batch`` at a time, as the tiles, where memory is short."""
    import torch

    from marsqe.networks.texture import EncodedReference

    labels = sorted({label for label, _ in patches})
    raw = {label: dictionary.raw(label, colour=colour) for label in labels}
    twins = {label: dictionary.compressed(label, compression, colour=colour) for label in labels}
    stacks = (np.stack([as_rgb(kind[label][index]) for label, index in patches]) for kind in (raw, twins))
    planes = (torch.from_numpy(s.transpose(0, 3, 1, 2).copy()).float().div(255).to(condition.device) for s in stacks)
    parts = [
        main.encode_references(first, second, condition.expand(len(first), -1))
        for first, second in zip(*(p.split(batch) for p in planes), strict=True)
    ]
    return [
        EncodedReference(torch.cat([level.keys for level in levels]), torch.cat([level.values for level in levels]))
        for levels in zip(*parts, strict=True)
    ]


def with_retry(start: Any, batch: int) -> Generator[Progress, None, NDArray[np.float32]]:
    """Drive ``start(batch)``; when the device runs out of memory, again with half the batch.

    Raises
    ------
    DeviceMemoryError
        If even one tile at a time does not fit.
    """
    import torch

    while True:
        try:
            return (yield from start(batch))
        except torch.OutOfMemoryError as error:
            if batch == 1:
                raise DeviceMemoryError(
                    "the device ran out of memory even with one tile at a time; close other programs that use it, or "
                    "choose the CPU as device"
                ) from error
            batch //= 2
        # Only here, where the error and with it the tensors of its frames are gone.
        torch.cuda.empty_cache()
