"""The Semantic-based Matching Module: a reference patch for every tile, within the tile's terrain class."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsqe.colour import luma
from marsqe.errors import SettingError
from marsqe.image import Compression, MarsImage, Pixels
from marsqe.matching.dictionary import LADDER, Dictionary
from marsqe.matching.lbp import kl_divergence, lbp_histograms
from marsqe.matching.own import dictionary_of, working_dictionary
from marsqe.progress import Progress, Steps, run
from marsqe.results import TILE, Matches
from marsqe.terrain import CLASSES, Terrain

_BLOCK = 4


def pad_to_tiles(array: NDArray[Any]) -> NDArray[Any]:
    """Pad (H, W, ...) at the bottom and right by reflection to whole tiles."""
    padding = [(0, -array.shape[0] % TILE), (0, -array.shape[1] % TILE)] + [(0, 0)] * (array.ndim - 2)
    return np.pad(array, padding, mode="symmetric")


def tile_classes(terrain: Terrain) -> NDArray[np.uint8]:
    """Terrain label of every tile: the class of most of its labelled pixels, 0 where none is labelled."""
    rows, columns = (-(-n // TILE) for n in terrain.labels.shape)
    padded = np.zeros((rows * TILE, columns * TILE), np.uint8)
    padded[: terrain.labels.shape[0], : terrain.labels.shape[1]] = terrain.labels
    tiles = padded.reshape(rows, TILE, columns, TILE).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    counts = np.stack([(tiles == label).sum(axis=-1) for label in range(1, len(CLASSES) + 1)], axis=-1)
    return np.where(counts.max(axis=-1) > 0, counts.argmax(axis=-1) + 1, 0).astype(np.uint8)


def match_eq1(tiles: NDArray[np.float64], twins: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Eq. 1: the compressed reference with the least KL divergence from the tile's LBP histogram.

    Parameters
    ----------
    tiles : ndarray of float64, shape (..., 59)
        LBP histograms of compressed tiles.
    twins : ndarray of float64, shape (N, 59)
        LBP histograms of the compressed references of one class.

    Returns
    -------
    n : ndarray of int64, shape (...)
    divergences : ndarray of float64, shape (..., N)
    """
    divergences = kl_divergence(twins, tiles[..., None, :])
    return divergences.argmin(axis=-1), divergences


def without(divergences: NDArray[np.float64], label: int, banned: Iterable[tuple[int, int]]) -> NDArray[np.float64]:
    """Divergences (..., N) of one class, infinite for the patches (class, index) that nothing may be matched to."""
    columns = [index for banned_label, index in banned if banned_label == label]
    offered = divergences.copy()
    offered[..., columns] = np.inf
    return offered


def texture_similarity(tile: NDArray[Any], twin: NDArray[Any]) -> float:
    """Mean of Eq. 3 between two luma patches: of every mean-free 4x4 block, the best cosine in the other patch.

    Parameters
    ----------
    tile, twin : ndarray, shape (128, 128)

    Returns
    -------
    float
        At most 1. Flat blocks have no direction and do not count; 0 where a patch has only such.
    """
    blocks = [_unit_blocks(p) for p in (tile, twin)]
    if min(len(b) for b in blocks) == 0:
        return 0.0
    return float((blocks[0] @ blocks[1].T).max(axis=1).mean())


def _unit_blocks(patch: NDArray[Any]) -> NDArray[np.float32]:
    n = patch.shape[0] // _BLOCK
    blocks = patch.astype(np.float32).reshape(n, _BLOCK, n, _BLOCK).transpose(0, 2, 1, 3).reshape(n * n, -1)
    blocks = blocks - blocks.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(blocks, axis=1, keepdims=True)
    return (blocks / np.maximum(norms, 1e-6))[norms[:, 0] > 1e-3]


def twin_compression(image: MarsImage, dictionary: Dictionary) -> Compression:
    """Compression with which the references' twins of an image are made.

    The file's own where it has tables. A file without gets the quality factor of ``LADDER``, or none, whose twins
    lie nearest to its tiles: the least mean divergence of Eq. 1 over the whole dictionary.
    """
    if image.compression.tables is not None:
        return image.compression
    tiles = lbp_histograms(luma(pad_to_tiles(image.pixels)))
    candidates = [replace(image.compression, quality=q) for q in (None, *LADDER)]

    def distance(compression: Compression) -> float:
        twins = np.concatenate(
            [dictionary.histograms(k, compression, colour=image.is_colour) for k in dictionary.patches]
        )
        return float(match_eq1(tiles, twins)[1].min(axis=-1).mean())

    return min(candidates, key=distance)


def match_steps(
    image: MarsImage,
    terrain: Terrain,
    dictionary: Dictionary | None = None,
    forbidden: Iterable[str] = (),
    twins_of: Compression | None = None,
) -> Steps[Matches]:
    """Match every tile, with progress; see :func:`match`.

    ``twins_of`` is the compression of the references' twins, where a part of an image is matched and the whole has
    decided on it.
    """
    if terrain.labels.shape != image.shape:
        raise SettingError("the terrain labels and the image differ in size; segment this image again")
    d = dictionary or working_dictionary()
    banned = d.checked_ban(forbidden)
    yield Progress("Matching references", 0, 2)
    compression = twins_of or twin_compression(image, d)
    brightness = luma(pad_to_tiles(image.pixels))
    tiles = lbp_histograms(brightness)
    histograms = {k: d.histograms(k, compression, colour=image.is_colour) for k in d.patches}
    most = max(len(h) for h in histograms.values())
    classes = tile_classes(terrain)
    candidates = np.full((*classes.shape, most), np.inf)
    found = {k: match_eq1(tiles, h)[1] for k, h in histograms.items()}
    offered = {k: without(divergences, k, banned) for k, divergences in found.items()}
    nearest = np.stack([offered[k].min(axis=-1) for k in sorted(offered)]).argmin(axis=0) + 1
    classes = np.where(classes == 0, nearest, classes).astype(np.uint8)
    references = np.zeros(classes.shape, np.int64)
    for label, divergences in found.items():
        here = classes == label
        references[here] = offered[label].argmin(axis=-1)[here]
        candidates[here, : divergences.shape[-1]] = divergences[here]
    yield Progress("Matching references", 1, 2)
    similarity = np.zeros(classes.shape)
    twins = {k: [luma(t) for t in d.compressed(k, compression, colour=image.is_colour)] for k in histograms}
    scale = 257 if image.data_range > 255 else 1
    for row, column in np.ndindex(*classes.shape):
        tile = brightness[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
        twin = twins[int(classes[row, column])][int(references[row, column])]
        similarity[row, column] = texture_similarity(tile.astype(np.float32) / scale, twin)
    yield Progress("Matching references", 2, 2)
    divergences = np.take_along_axis(candidates, references[..., None], axis=-1)[..., 0]
    return Matches(classes, references, divergences, candidates, similarity, banned, d.sha256)


def tile_similarity(image: MarsImage, row: int, column: int, twin: NDArray[np.uint8]) -> float:
    """Mean of Eq. 3 between one tile of an image and a compressed reference, as in :class:`Matches`."""
    window = (slice(row * TILE, (row + 1) * TILE), slice(column * TILE, (column + 1) * TILE))
    tile = luma(pad_to_tiles(image.pixels))[window].astype(np.float32) / (257 if image.data_range > 255 else 1)
    return texture_similarity(tile, luma(twin))


def match(
    image: MarsImage, terrain: Terrain, dictionary: Dictionary | None = None, forbidden: Iterable[str] = ()
) -> Matches:
    """Match a reference patch to every 128x128 tile of an image (Section IV-A).

    Tiles at the border are completed by reflection. A tile without any labelled pixel takes the class of the
    reference that lies nearest of all.

    Parameters
    ----------
    image : MarsImage
    terrain : Terrain
        Labels of the same height and width.
    dictionary : Dictionary, optional
        By default the bundled one with the user's own references; see :func:`marsqe.matching.working_dictionary`.
    forbidden : iterable of str
        Patches (:meth:`Dictionary.patch_id`) that no tile may have: their tiles take the next best.

    Raises
    ------
    SettingError
        If the labels have another size than the image, or a forbidden patch is none or the last of its class.
    """
    return run(match_steps(image, terrain, dictionary, forbidden))


def reference_mosaic(image: MarsImage, matches: Matches, dictionary: Dictionary | None = None) -> Pixels:
    """The raw reference of every tile, in its place: pixels of the image's shape, dtype and full scale."""
    d = dictionary or dictionary_of(matches)
    rows, columns = matches.shape
    canvas = np.zeros((rows * TILE, columns * TILE, *image.pixels.shape[2:]), np.uint8)
    for row, column in np.ndindex(rows, columns):
        patch = d.reference(int(matches.classes[row, column]), int(matches.references[row, column]))
        tile = patch if image.is_colour else luma(patch)
        canvas[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = tile
    canvas = canvas[: image.shape[0], : image.shape[1]]
    if image.data_range == 255:
        return canvas
    return np.rint(canvas.astype(np.float64) * (image.full_scale / 255)).astype(np.uint16)
