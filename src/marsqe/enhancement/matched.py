"""Run a network of windows that takes a reference for every tile (marsqe-swift-ref), or any that takes references."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marsqe.devices import autocast
from marsqe.enhancement.networks import STEP, Job, cut, paste, run_tiles, to_planes, window_distance
from marsqe.enhancement.references import Place, encoded_references
from marsqe.enhancement.windows import CORE, windows
from marsqe.image import Compression
from marsqe.matching.dictionary import Dictionary
from marsqe.progress import Progress, Steps
from marsqe.results import TILE, Matches, Region

if TYPE_CHECKING:
    from torch import nn


def run_with_references(
    network: nn.Module,
    job: Job,
    matches: Matches,
    dictionary: Dictionary,
    compression: Compression,
    labels: NDArray[np.uint8] | None = None,
    *,
    colour: bool,
    core: int | None = None,
) -> Steps[NDArray[np.float32]]:
    """Enhance with any network that takes references, in the way that it needs."""
    from marsqe.networks.swift_ref import MarsQESwiftRef

    if isinstance(network, MarsQESwiftRef):
        return run_matched_windows(network, job, matches, dictionary, compression, core, colour=colour)
    return run_tiles(network, job, matches, dictionary, compression, labels, colour=colour)


def run_matched_windows(
    network: nn.Module,
    job: Job,
    matches: Matches,
    dictionary: Dictionary,
    compression: Compression,
    core: int | None = None,
    *,
    colour: bool,
) -> Steps[NDArray[np.float32]]:
    """As :func:`marsqe.enhancement.networks.run_windows`, with a reference for every tile.

    Windows are whole tiles, but for the image's border; with ``job.tiles`` only the wanted ones, each by itself.
    """
    import torch

    out = job.pixels.copy()
    condition = torch.from_numpy(job.condition)[None].to(job.device)
    side = TILE if job.tiles is not None else max(TILE, (CORE if core is None else core) // TILE * TILE)
    parts = windows(job.pixels.shape[:2], job.region, side, TILE, TILE)
    if job.tiles is not None:
        parts = [part for part in parts if job.tiles[_tiles_in(part.core)].any()]
    if job.first is not None:
        parts.sort(key=partial(window_distance, job.first))
    yield Progress(STEP, 0, len(parts))
    needed = {place for part in parts for place in _places(matches, part.frame)}
    with torch.inference_mode(), autocast(job.device, job.precision):
        encoded = encoded_references(network, dictionary, needed, compression, condition, job.precision, colour=colour)
    for done, window in enumerate(parts, 1):
        with torch.inference_mode(), autocast(job.device, job.precision):
            chosen = encoded.of(_places(matches, window.frame))
            result = network(to_planes(cut(job.pixels, window.frame), job.device), condition, chosen)
        planes = result[0, :, : window.frame.height, : window.frame.width].float().cpu().numpy()
        paste(out, planes.transpose(1, 2, 0), window)
        yield Progress(STEP, done, len(parts), job.parts(out, [window.core]))
    return out


def _tiles_in(r: Region) -> tuple[slice, slice]:
    return slice(r.y // TILE, -(-(r.y + r.height) // TILE)), slice(r.x // TILE, -(-(r.x + r.width) // TILE))


def _places(matches: Matches, r: Region) -> list[Place]:
    """Class and reference of each tile that a rectangle meets, row by row."""
    tiles = _tiles_in(r)
    return list(zip(matches.classes[tiles].ravel().tolist(), matches.references[tiles].ravel().tolist(), strict=True))
