"""Add references of one's own: patches of a lossless frame of the same outcrop, kept with their origin."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.colour import as_8bit, as_rgb, luma
from marsqe.errors import ExportError, SettingError
from marsqe.export.atomic import write_whole
from marsqe.image import MarsImage
from marsqe.matching.lbp import kl_divergence, lbp_histograms
from marsqe.matching.own import MOST_OWN, OwnEntry, identity, list_own, off_mark, own_folder
from marsqe.results import TILE, Region
from marsqe.terrain import CLASSES, Terrain
from marsqe.userdata import made

PURITY: Final = 0.85
"""Share of a patch's pixels that must bear one label where the terrain decides the class."""

MOST_NOTE: Final = 500
_LEAST_DEVIATION: Final = {"sky": 0.5}


@dataclass(frozen=True)
class Cut:
    """A patch that could become a reference: its class, left and top corner, and pixels (128, 128, 3)."""

    terrain: str
    x: int
    y: int
    pixels: NDArray[np.uint8]


def loss_of(image: MarsImage) -> str:
    """What the source lost, as far as its file and its product's name say; empty for a lossless one."""
    onboard = image.product.onboard_compression or ""
    if image.compression.lossy:
        return image.compression.summary()
    lossless = "lossless" in onboard or onboard in ("", "uncompressed") or onboard.startswith("LOCO")
    return "" if lossless else f"{onboard} on board"


def check_source(image: MarsImage, allow_lossy: bool) -> str:
    """What the source lost, where that is allowed; see :func:`loss_of`.

    Raises
    ------
    SettingError
        If it is lossy and that was not allowed.
    """
    lost = loss_of(image)
    if lost and not allow_lossy:
        raise SettingError(
            f"this image has lost detail ({lost}), and a reference is to bring detail back; use a lossless frame, or "
            "allow a lossy one expressly"
        )
    return lost


def cut_patches(image: MarsImage, terrain: str | Terrain, region: Region | None = None, most: int = 6) -> list[Cut]:
    """Cut 128x128 patches side by side out of a region: where there are more than ``most``, those that cover best.

    Parameters
    ----------
    image : MarsImage
        8-bit or 16-bit, gray or RGB.
    terrain : str or Terrain
        The class of all of them, or labels, of which a patch must bear one on ``PURITY`` of its pixels.
    region : Region, optional
        All of the image by default. Patches start at its corner.
    most : int
        Of each class.

    Raises
    ------
    SettingError
        If the region is smaller than a patch or outside, there is no such class, or nothing usable lies in it: blank
        ground, blown out or black, or too mixed.
    """
    region = region or Region(0, 0, image.shape[1], image.shape[0])
    _check(image, terrain, region, most)
    found = list(_usable_patches(image, terrain, region))
    if not found:
        raise SettingError(
            "no patch of this region can serve: each is blank, blown out, black, or of no single class; choose ground "
            "that shows its texture"
        )
    chosen: list[Cut] = []
    for name in CLASSES:
        pool = [cut for cut in found if cut.terrain == name]
        chosen += [pool[i] for i in covering([cut.pixels for cut in pool], most)] if pool else []
    return chosen


def _check(image: MarsImage, terrain: str | Terrain, region: Region, most: int) -> None:
    height, width = image.shape
    if region.width < TILE or region.height < TILE:
        raise SettingError(f"a reference is {TILE} x {TILE} pixels, the region {region.width} x {region.height}")
    fits = region.x >= 0 and region.y >= 0 and region.x + region.width <= width and region.y + region.height <= height
    if not fits:
        raise SettingError(f"the region does not lie inside the image of {width} x {height} pixels")
    if isinstance(terrain, str) and terrain not in CLASSES:
        raise SettingError(f"there is no class '{terrain}'; choose one of {', '.join(CLASSES)}")
    if isinstance(terrain, Terrain) and terrain.labels.shape != image.shape:
        raise SettingError("the terrain labels and the image differ in size; segment this image again")
    if not 1 <= most <= MOST_OWN:
        raise SettingError(f"take 1 to {MOST_OWN} patches of each class, not {most}")


def _usable_patches(image: MarsImage, terrain: str | Terrain, region: Region) -> Iterator[Cut]:
    for y in range(region.y, region.y + region.height - TILE + 1, TILE):
        for x in range(region.x, region.x + region.width - TILE + 1, TILE):
            window = (slice(y, y + TILE), slice(x, x + TILE))
            name = terrain if isinstance(terrain, str) else _pure_class(terrain.labels[window])
            pixels = np.ascontiguousarray(as_rgb(as_8bit(image.pixels[window], image.full_scale)))
            if name is not None and _is_usable(pixels, name):
                yield Cut(name, x, y, pixels)


def _pure_class(labels: NDArray[np.uint8]) -> str | None:
    counts = np.bincount(labels.ravel(), minlength=len(CLASSES) + 1)[1:]
    return CLASSES[int(counts.argmax())] if counts.max() >= PURITY * labels.size else None


def _is_usable(patch: NDArray[np.uint8], terrain: str) -> bool:
    """Whether the patch is neither black, blown out nor blank; of the sky little structure is expected."""
    brightest = patch.max(axis=2)
    exposed = (brightest <= 2).mean() < 0.01 and (brightest >= 254).mean() < 0.05
    return bool(exposed and patch.mean(axis=2).std() >= _LEAST_DEVIATION.get(terrain, 2.0))


def covering(patches: Sequence[NDArray[np.uint8]], most: int) -> list[int]:
    """Indices of at most ``most`` patches, each the one that lessens most the divergences of all to their nearest."""
    if len(patches) <= most:
        return list(range(len(patches)))
    histograms = np.stack([lbp_histograms(luma(p))[0, 0] for p in patches])
    distances = kl_divergence(histograms[:, None], histograms[None])
    nearest, chosen = np.full(len(patches), np.inf), list[int]()
    while len(chosen) < most:
        left = np.minimum(distances, nearest).sum(axis=1)
        left[chosen] = np.inf
        chosen.append(int(left.argmin()))
        nearest = np.minimum(nearest, distances[chosen[-1]])
    return sorted(chosen)


def add_references(
    image: MarsImage, cuts: Sequence[Cut], *, note: str = "", credit: str = "", allow_lossy: bool = False
) -> list[OwnEntry]:
    """Keep patches of an image as references, each whole or not at all.

    Parameters
    ----------
    image : MarsImage
        What they were cut from; its origin is kept with them.
    cuts : sequence of Cut
    note, credit : str
        For people; ``note`` of at most ``MOST_NOTE`` characters.
    allow_lossy : bool
        Take patches even of a source that had lost information; that is written into their origin.

    Raises
    ------
    SettingError
        If the source is lossy and that was not allowed, a class would have too many, or all are there already.
    ExportError
        If they cannot be written.
    """
    lost = check_source(image, allow_lossy)
    if len(note) > MOST_NOTE:
        raise SettingError(f"the note has {len(note)} characters; {MOST_NOTE} are the most")
    present = list_own()
    known = {reference.patch_id for reference in present}
    new = {identity(cut.terrain, cut.pixels): cut for cut in cuts}
    new = {name: cut for name, cut in new.items() if name not in known}
    if not new:
        raise SettingError("these patches are among your references already")
    for terrain in CLASSES:
        there = sum(r.entry is not None and r.entry.terrain == terrain for r in present)
        if there + sum(cut.terrain == terrain for cut in new.values()) > MOST_OWN:
            raise SettingError(f"{MOST_OWN} references of {terrain} are the most; remove some first")
    folder = made(own_folder())
    entries = [_entry(image, name, cut, lost, note, credit) for name, cut in new.items()]
    for entry, cut in zip(entries, new.values(), strict=True):
        stream = io.BytesIO()
        Image.fromarray(cut.pixels).save(stream, "PNG", optimize=True)
        # The card last: without it the picture counts for nothing.
        write_whole(folder / f"{entry.patch_id}.png", stream.getvalue())
        write_whole(folder / f"{entry.patch_id}.json", (json.dumps(entry.record(), indent=1) + "\n").encode())
    return entries


def _entry(image: MarsImage, name: str, cut: Cut, lost: str, note: str, credit: str) -> OwnEntry:
    source = image.path.name if image.path is not None else image.name
    product = {key: value for key, value in asdict(image.product).items() if value is not None}
    return OwnEntry(
        terrain=cut.terrain,
        source=source,
        x=cut.x,
        y=cut.y,
        credit=credit or f"your own, from {source}",
        patch_id=name,
        pixels_sha256=hashlib.sha256(cut.pixels.tobytes()).hexdigest(),
        source_sha256=image.sha256,
        compression=image.compression.summary(),
        lossy=bool(lost),
        colour=image.is_colour,
        added=datetime.now(UTC).isoformat(timespec="microseconds"),
        product=product,
        note=note,
    )


def remove_reference(patch_id: str) -> None:
    """Delete one of the user's references.

    Raises
    ------
    SettingError
        If there is none of that name.
    ExportError
        If it cannot be deleted.
    """
    if patch_id not in {reference.patch_id for reference in list_own()}:
        raise SettingError(f"you have no reference '{patch_id}'; `marsqe references list` names them")
    try:
        for ending in ("json", "png"):
            with suppress(FileNotFoundError):
                (own_folder() / f"{patch_id}.{ending}").unlink()
    except OSError as error:
        raise ExportError(f"{patch_id} cannot be deleted ({error.strerror or error})") from error


def use_own(on: bool) -> None:
    """Switch all of the user's references on or off, for the plugin and the command line alike.

    Raises
    ------
    ExportError
        If that cannot be written down.
    """
    try:
        if on:
            off_mark().unlink(missing_ok=True)
        else:
            write_whole(made(own_folder()) / off_mark().name, b"")
    except OSError as error:
        raise ExportError(f"your references cannot be switched on ({error.strerror or error})") from error
