"""Enhance a few tiles of an enhanced image again, where their references were changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from marsqe.enhancement.pipeline import enhance_steps
from marsqe.errors import SettingError
from marsqe.networks.registry import find
from marsqe.progress import Steps
from marsqe.results import TILE, Enhancement, Matches, Region
from marsqe.terrain import Terrain
from marsqe.weights import read_card


def why_not_again(previous: Enhancement) -> str:
    """Why other references cannot change single tiles of a result, in a sentence; empty where they can."""
    try:
        model = find(previous.model)
    except SettingError:
        return f"the model {previous.model} is not here any more; enhance with another one"
    if not model.uses_references:
        return (
            f"{previous.model} uses no references, so another one cannot change its result; enhance with a model that "
            "does to see a difference"
        )
    if previous.source.orientation != 1:
        return (
            "the file stores this image turned, and its tiles are matched as they are stored; enhance all of it again"
        )
    return ""


def reenhance_steps(
    previous: Enhancement,
    matches: Matches,
    tiles: NDArray[np.bool_],
    *,
    terrain: Terrain | None = None,
    batch: int = 8,
) -> Steps[Enhancement]:
    """Enhance some tiles again, with other references and everything else as it was; the other pixels stay.

    For "marsqe-lite" the result is that of enhancing the whole image again, up to rounding. Networks that
    look beyond a tile ("marsqe-swift-ref", and the post-enhancement of "marsqe", which runs on the whole image) would
    change its neighbours slightly, too; these stay.

    Parameters
    ----------
    previous : Enhancement
        The result so far. Of a region only what lies inside is enhanced again.
    matches : Matches
        With the other references.
    tiles : ndarray of bool, shape (rows, columns)
        Which to enhance again.
    terrain : Terrain, optional
        Where it was drawn on since.
    batch : int
        As that of :func:`marsqe.enhance`.

    Raises
    ------
    SettingError
        If the model uses no references or has other weights now, the file is stored turned, no tile is named, or they
        are not this image's.
    """
    reason = why_not_again(previous)
    if reason:
        raise SettingError(reason)
    if tiles.shape != previous.matches.shape or matches.shape != tiles.shape or not tiles.any():
        raise SettingError("name at least one tile of this image; its references may have been matched anew since")
    if read_card(previous.model)["weights_sha256"] != previous.provenance["model"]["weights_sha256"]:
        raise SettingError("the model has other weights than when this image was enhanced; enhance all of it again")
    terrain = terrain or previous.terrain
    settings = previous.provenance["settings"]
    result = yield from enhance_steps(
        *(previous.source, previous.model, previous.device, _around(tiles, previous)),
        terrain=terrain,
        matches=matches,
        faithful=bool(settings["faithful"]),
        precision="float32" if settings.get("precision") == "float32" else "auto",
        batch=batch,
        tiles=tiles,
    )
    here = pixels_of_tiles(tiles, previous.source.shape)
    pixels = previous.pixels.copy()
    pixels[here] = result.pixels[here]
    again = [[int(row), int(column)] for row, column in np.argwhere(tiles)]
    changed = [k for k in result.provenance if k in ("terrain", "dictionary_sha256") or k.startswith("references_")]
    provenance = previous.provenance | {key: result.provenance[key] for key in changed}
    provenance["enhanced_again"] = [*previous.provenance.get("enhanced_again", []), again]
    return replace(
        previous, pixels=pixels, terrain=terrain, matches=matches, seconds=result.seconds, provenance=provenance
    )


def _around(tiles: NDArray[np.bool_], previous: Enhancement) -> Region:
    """The rectangle that holds the tiles, within the region that was enhanced."""
    height, width = previous.source.shape
    region = previous.region or Region(0, 0, width, height)
    rows, columns = (np.flatnonzero(tiles.any(axis=axis)) * TILE for axis in (1, 0))
    left, top = max(region.x, int(columns[0])), max(region.y, int(rows[0]))
    right = min(region.x + region.width, int(columns[-1]) + TILE)
    bottom = min(region.y + region.height, int(rows[-1]) + TILE)
    if right <= left or bottom <= top:
        raise SettingError("the tiles lie outside of the region that was enhanced; enhance the whole image to see them")
    return Region(left, top, right - left, bottom - top)


def pixels_of_tiles(tiles: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mask (H, W) of the pixels that lie in the tiles (rows, columns)."""
    return tiles.repeat(TILE, axis=0).repeat(TILE, axis=1)[: shape[0], : shape[1]]
