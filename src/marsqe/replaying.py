"""Make an exported image again from its own record and the source, and say whether the same comes out."""

from __future__ import annotations

import glob
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsqe.codecs.estimated import cut_alike, cut_to_blocks, estimate_of
from marsqe.codecs.estimation import Estimate
from marsqe.enhancement.faithful import BY_CHOICE
from marsqe.errors import DeviceError, ReadError, SettingError, in_one_line
from marsqe.export.differences import Difference, differences
from marsqe.export.images import TIFF_ENDINGS, read_provenance, write_image
from marsqe.export.options import ExportOptions
from marsqe.export.record import decode_labels
from marsqe.image import MarsImage
from marsqe.progress import Steps, run
from marsqe.read.tiff import stored_numbers
from marsqe.results import Enhancement, Judgement, Matches, Region
from marsqe.terrain import Terrain


@dataclass(frozen=True)
class Replay:
    """What came of making an image again.

    Attributes
    ----------
    identical : bool
        Whether every pixel is the same, and every fact that matters.
    same_file : bool
        Whether the whole file came out the same, byte for byte: also needs the same versions of the libraries.
    different_pixels, pixels : int
        How many pixels differ, of how many.
    largest_difference : float
        In DN, of the file's numbers.
    differences : tuple of Difference
    source : Path
    enhancement : Enhancement
        As it was made now.
    """

    identical: bool
    same_file: bool
    different_pixels: int
    pixels: int
    largest_difference: float
    differences: tuple[Difference, ...]
    source: Path
    enhancement: Enhancement


def replay(path: str | Path, source: str | Path | None = None, truth: str | Path | None = None) -> Replay:
    """Make an exported image again and compare.

    Parameters
    ----------
    path : str or Path
        A TIFF or PNG that :func:`marsqe.export.save_enhancement` wrote.
    source : str or Path, optional
        The file that was enhanced; looked for beside the image by default, under its own name or as
        ``<stem>.source.*``.
    truth : str or Path, optional
        The image before it was compressed, from which the page "residual" is made again; without it this page is left
        out, and the files cannot be the same.

    Raises
    ------
    SettingError
        If the truth has another size or depth.
    ReadError
        If the image holds no record, the source is not found or is another file, the truth is another one, or the model
        is not installed.
    """
    return run(replay_steps(path, source, truth))


def replay_steps(path: str | Path, source: str | Path | None = None, truth: str | Path | None = None) -> Steps[Replay]:
    """:func:`replay` with progress."""
    file = Path(path)
    record = read_provenance(file)
    try:
        recipe = _recipe_of(record)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError, SettingError) as error:
        said = in_one_line(error)
        raise ReadError(f"the record of {file} is damaged or of another version ({said}); it tells no way") from error
    stored = _stored_pixels(file)
    made = yield from _make_again(recipe, _find_source(file, recipe, source))
    wanted = truth is not None and "residual" in recipe.options.layers
    judgement = _judged(made, Path(str(truth)), record.get("truth") or {}) if wanted else None
    with tempfile.TemporaryDirectory(prefix="marsqe-") as folder:
        again = Path(folder) / file.name
        # The residual needs a truth, which the record does not hold.
        layers = tuple(name for name in recipe.options.layers if name != "residual" or judgement is not None)
        found = write_image(again, made, replace(recipe.options, layers=layers), judgement)
        found["export"]["layers"] = list(recipe.options.layers)
        if judgement is None and "truth" in record:
            found["truth"] = record["truth"]
        fresh, same_file = _stored_pixels(again), again.read_bytes() == file.read_bytes()
    return _compare(record, found, stored, fresh, same_file, made)


@dataclass(frozen=True)
class _Recipe:
    """What of a record is needed to make the image again."""

    source_name: str
    source_sha256: str
    model: str
    device: str
    precision: str
    region: Region | None
    faithful: bool
    terrain: Terrain | None
    by_hand: list[tuple[int, int, int]]
    forbidden: list[str]
    own: bool
    options: ExportOptions
    estimate: Estimate | None


def _recipe_of(record: dict[str, Any]) -> _Recipe:
    settings, options = record["settings"], dict(record["export"])
    options.pop("scaling")
    chosen = {"layers": tuple(options["layers"]), "sidecars": tuple(options["sidecars"])}
    told, region = record["terrain"], settings["region"]
    # Terrain that a network found is not embedded: it finds it again.
    drawn = Terrain(decode_labels(told["labels_png"]), None, str(told["source"])) if "labels_png" in told else None
    return _Recipe(
        source_name=str(record["source"]["name"]),
        source_sha256=str(record["source"]["sha256"]),
        model=str(record["model"]["name"]),
        device=str(settings["device"]),
        precision="float32" if settings["precision"] == "float32" else "auto",
        region=None if region is None else Region(*map(int, region)),
        faithful=bool(settings["faithful"]) or settings.get("not_held", BY_CHOICE) != BY_CHOICE,
        terrain=drawn,
        by_hand=[(int(row), int(column), int(index)) for row, column, index in record.get("references_by_hand") or []],
        forbidden=[str(name) for name in record.get("references_forbidden") or []],
        own=bool(record.get("references_own")),
        options=ExportOptions(**options | chosen),
        estimate=None if (found := record["source"].get("estimated")) is None else estimate_of(found),
    )


def _compare(
    record: dict[str, Any],
    found: dict[str, Any],
    stored: NDArray[Any],
    fresh: NDArray[Any],
    same_file: bool,
    made: Enhancement,
) -> Replay:
    from marsqe.networks.registry import find

    told = differences(record, found, uses_references=find(made.model).uses_references)
    if stored.shape != fresh.shape or stored.dtype != fresh.dtype:
        shapes = f"{stored.dtype} {stored.shape}", f"{fresh.dtype} {fresh.shape}"
        told = (*told, Difference("pixels", *shapes, matters=True))
        count, largest = stored.shape[0] * stored.shape[1], float("nan")
    else:
        distance = np.abs(stored.astype(np.float64) - fresh.astype(np.float64))
        distance = distance.max(axis=2) if distance.ndim == 3 else distance
        count, largest = int(np.count_nonzero(distance)), float(distance.max(initial=0.0))
    assert made.source.path is not None
    return Replay(
        identical=count == 0 and not any(difference.matters for difference in told),
        same_file=same_file,
        different_pixels=count,
        pixels=stored.shape[0] * stored.shape[1],
        largest_difference=largest,
        differences=told,
        source=made.source.path,
        enhancement=made,
    )


def _judged(made: Enhancement, path: Path, told: dict[str, Any]) -> Judgement:
    import marsqe

    truth = cut_alike(marsqe.open_image(path), made.source)
    known = told.get("sha256", truth.sha256)  # earlier records did not name it
    if truth.sha256 != known:
        truth = MarsImage.from_array(truth.pixels, metadata={"name": told.get("name")})
    if truth.sha256 != known:
        raise ReadError(
            f"{path} is not the truth that the page 'residual' was made with, whose SHA-256 the record says is "
            f"{str(known)[:12]}…; find that one, or leave --truth out"
        )
    return marsqe.judge(made.pixels, truth, compressed=made.source.pixels)


def _stored_pixels(file: Path) -> NDArray[Any]:
    import marsqe

    if file.suffix.lower() not in TIFF_ENDINGS:
        return marsqe.open_image(file).pixels
    return stored_numbers(file)


def _find_source(file: Path, recipe: _Recipe, source: str | Path | None) -> MarsImage:
    """The source, opened, and known by its hash."""
    import marsqe

    name = recipe.source_name
    beside = sorted(file.parent.glob(f"{glob.escape(file.stem)}.source.*"))
    places = [Path(source)] if source is not None else [file.parent / Path(name).name, *beside]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ReadError(f"{file.name} was made from {name}, which is not at {places[0]}; say where it is with --source")
    image = marsqe.open_image(found)
    if image.sha256 == recipe.source_sha256:
        return image
    # The pixels of a layer that came from no file have a hash of their own.
    bare = MarsImage.from_array(image.pixels, path=found, metadata={"name": name})
    if bare.sha256 == recipe.source_sha256:
        return bare
    raise ReadError(
        f"{found} is not the file that {file.name} was made from: its SHA-256 is {image.sha256[:12]}…, the record says "
        f"{recipe.source_sha256[:12]}…; find the original and name it with --source"
    )


def _make_again(recipe: _Recipe, image: MarsImage) -> Steps[Enhancement]:
    import marsqe
    from marsqe.networks.registry import find

    device, terrain = _device(recipe.device), recipe.terrain
    try:
        find(recipe.model)
    except SettingError as error:
        raise ReadError(f"the record names the model {recipe.model}, which is not installed ({error})") from error
    if recipe.estimate is not None:
        image = cut_to_blocks(image, recipe.estimate)
    if terrain is not None and terrain.labels.shape != image.shape:
        raise ReadError("the terrain in the record has another size than the source; the record was changed")
    if terrain is None:
        terrain = yield from marsqe.segment_steps(image, device)
    matches = yield from _matches_of(recipe, image, terrain)
    wanted: Any = {"terrain": terrain, "matches": matches, "faithful": recipe.faithful, "parts": False}
    wanted["precision"] = recipe.precision
    return (yield from marsqe.enhance_steps(image, recipe.model, device, recipe.region, **wanted))


def _device(name: str) -> str:
    from marsqe.devices import resolve_device

    try:
        resolve_device(name)
    except (DeviceError, SettingError):
        return "auto"  # the difference of devices is told
    return name


def _matches_of(recipe: _Recipe, image: MarsImage, terrain: Terrain) -> Steps[Matches]:
    import marsqe
    from marsqe.matching import load_dictionary, with_reference, working_dictionary

    dictionary = working_dictionary() if recipe.own else load_dictionary()
    try:
        matches = yield from marsqe.match_steps(image, terrain, dictionary, recipe.forbidden)
        for row, column, index in recipe.by_hand:
            matches = with_reference(matches, row, column, index, similarity=float("nan"))
    except SettingError as error:
        raise ReadError(f"the references of the record are not those of this installation: {error}") from error
    return matches
