"""Run the networks on an image, window by window or tile by tile."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marsqe.colour import as_rgb
from marsqe.devices import autocast
from marsqe.enhancement.windows import CORE, Window, windows
from marsqe.errors import DeviceError
from marsqe.image import Compression
from marsqe.matching.dictionary import Dictionary
from marsqe.progress import Progress, Steps
from marsqe.results import TILE, Matches, Region

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

STEP = "Enhancing"


@dataclass(frozen=True)
class Job:
    """What a network needs: the stored frame's pixels in 0-1 (H, W, 3), the condition (12,), the region.

    ``tiles`` (rows, columns) says which tiles of the region are wanted, where not all are.
    """

    pixels: NDArray[np.float32]
    condition: NDArray[np.float32]
    region: Region | None
    device: torch.device
    batch: int = 8
    tiles: NDArray[np.bool_] | None = None


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
    for done, window in enumerate(parts):
        yield Progress(STEP, done, len(parts))
        frame = _cut(job.pixels, window.frame)
        with torch.inference_mode(), autocast(job.device):
            result = network(to_planes(frame, job.device), condition)
        planes = result[0, :, : frame.shape[0], : frame.shape[1]].float().cpu().numpy()
        _paste(out, planes.transpose(1, 2, 0), window)
    yield Progress(STEP, len(parts), len(parts))
    return out


def _cut(pixels: NDArray[Any], r: Region) -> NDArray[Any]:
    return pixels[r.y : r.y + r.height, r.x : r.x + r.width]


def _paste(out: NDArray[np.float32], result: NDArray[np.float32], window: Window) -> None:
    core, frame = window.core, window.frame
    y, x = core.y - frame.y, core.x - frame.x
    _cut(out, core)[:] = result[y : y + core.height, x : x + core.width]


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
    total = len(batches) + (labels is not None)
    main: Any = network if labels is None else network.main
    yield Progress(STEP, 0, total)
    # No context may stay open over a yield: it would hold for the caller too, and close in whatever thread cancels.
    with torch.inference_mode(), autocast(job.device):
        needed = sorted({(int(flat_classes[i]), int(flat_references[i])) for i in wanted})
        encoded = _encode_references(main, dictionary, needed, compression, condition, colour)
    places = {patch: place for place, patch in enumerate(needed)}
    enhanced = tiles.clone()
    features: Tensor | None = None
    for done, batch in enumerate(batches):
        rows = torch.from_numpy(batch)
        index = torch.tensor([places[int(flat_classes[i]), int(flat_references[i])] for i in batch])
        with torch.inference_mode(), autocast(job.device):
            chosen = [level.select(index.to(job.device)) for level in encoded]
            output = main(tiles[rows].to(job.device), condition.expand(len(batch), -1), chosen)
            enhanced[rows] = output.enhanced.float().cpu()
            if labels is not None:
                if features is None:
                    features = torch.zeros(len(tiles), *output.features.shape[1:], dtype=output.features.dtype)
                features[rows] = output.features.cpu()
        yield Progress(STEP, done + 1, total)
    result = join_tiles(enhanced, height, width)
    if labels is not None and features is not None:
        network_labels = torch.from_numpy(np.ascontiguousarray(labels))[None].to(job.device)
        whole = (t.to(job.device) for t in (planes, result, join_tiles(features, height, width)))
        post: Any = network.post
        with torch.inference_mode(), autocast(job.device):
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


def _encode_references(
    main: Any,
    dictionary: Dictionary,
    patches: Sequence[tuple[int, int]],
    compression: Compression,
    condition: Tensor,
    colour: bool,
) -> list[Any]:
    """Encoded references (class, index), in this order."""
    import torch

    labels = sorted({label for label, _ in patches})
    raw = {label: dictionary.raw(label, colour=colour) for label in labels}
    twins = {label: dictionary.compressed(label, compression, colour=colour) for label in labels}
    stacks = (np.stack([as_rgb(kind[label][index]) for label, index in patches]) for kind in (raw, twins))
    planes = (torch.from_numpy(s.transpose(0, 3, 1, 2).copy()).float().div(255).to(condition.device) for s in stacks)
    encoded: list[Any] = main.encode_references(*planes, condition.expand(len(patches), -1))
    return encoded


def with_retry(start: Any, batch: int) -> Generator[Progress, None, NDArray[np.float32]]:
    """Drive ``start(batch)``; when the device runs out of memory, again with half the batch.

    Raises
    ------
    DeviceError
        If even one tile at a time does not fit.
    """
    import torch

    while True:
        try:
            return (yield from start(batch))
        except torch.OutOfMemoryError as error:
            if batch == 1:
                raise DeviceError(
                    "the device ran out of memory even with one tile at a time; close other programs that use it, or "
                    "choose the CPU as device"
                ) from error
            batch //= 2
        # Only here, where the error and with it the tensors of its frames are gone.
        torch.cuda.empty_cache()
