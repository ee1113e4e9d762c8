"""Enhance a few tiles of an enhanced image again, where their references were changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from marsqe.enhancement.pipeline import enhance_steps
from marsqe.errors import SettingError
from marsqe.networks.registry import find
from marsqe.progress import Steps
from marsqe.results import TILE, Enhancement, Matches
from marsqe.terrain import Terrain
from marsqe.weights import read_card


def why_not_again(previous: Enhancement) -> str:
    """Why other references cannot change single tiles of a result, in a sentence; empty where they can."""
    if not find(previous.model).uses_references:
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

    For "marsqe-lite" the result is that of enhancing the whole image again, up to rounding. The post-enhancement of
    "marsqe" looks at the whole image, so there other tiles would change slightly, too, and the whole network runs.

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
        *(previous.source, previous.model, previous.device, previous.region),
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


def pixels_of_tiles(tiles: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mask (H, W) of the pixels that lie in the tiles (rows, columns)."""
    return tiles.repeat(TILE, axis=0).repeat(TILE, axis=1)[: shape[0], : shape[1]]
