"""The engine's long work, as the workbench asks for it. Runs in the worker thread: heavy imports happen here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import SettingError
from marsqe.image import Compression, MarsImage, Pixels
from marsqe.progress import Progress, Steps
from marsqe.results import Enhancement, Judgement, Matches, Region
from marsqe.terrain import CLASSES, Terrain

if TYPE_CHECKING:
    from marsqe.export import ExportOptions


@dataclass(frozen=True)
class Understanding:
    """Terrain, matches, the raw reference of every tile in its place, and how their compressed twins were made."""

    terrain: Terrain
    matches: Matches
    mosaic: Pixels
    twins: Compression


def open_files(path: Path, truth: Path | None = None) -> Steps[tuple[MarsImage, MarsImage | None]]:
    """Read an image, and its truth where one is named."""
    import marsqe

    yield Progress("Reading the file", 0, 1)
    image = marsqe.open_image(path)
    original = marsqe.open_image(truth) if truth is not None else None
    return image, original


def simulate(original: MarsImage, quality: int, subsampling: str) -> Steps[tuple[MarsImage, Pixels]]:
    """Compress an image as a rover would before it sends it. Returns the image and the truth of its depth."""
    import marsqe
    from marsqe.colour import as_8bit

    yield Progress("Compressing", 0, 1)
    pixels, scale = original.pixels, original.full_scale
    # Pixels of 8 bits are not scaled, whatever the product says of them.
    image = marsqe.simulate_downlink(pixels, quality, subsampling, name=original.name, full_scale=scale)
    return image, as_8bit(pixels, scale)


def estimate(image: MarsImage) -> Steps[MarsImage]:
    """Find the tables and the grid of the JPEG that an image was, in its pixels, and cut it to whole blocks."""
    yield Progress("Looking for the traces of a JPEG", 0, 0)
    from marsqe.codecs.estimated import with_estimated_tables

    return with_estimated_tables(image)


def understand(image: MarsImage, device: str) -> Steps[Understanding]:
    """Find the terrain, then a reference for every tile."""
    yield Progress("Loading the engine", 0, 0)
    import marsqe
    from marsqe.matching import dictionary_of, reference_mosaic, twin_compression

    terrain = yield from marsqe.segment_steps(image, device=device)
    matches = yield from marsqe.match_steps(image, terrain)
    yield Progress("Laying out the references", 0, 1)
    mosaic = reference_mosaic(image, matches)
    return Understanding(terrain, matches, mosaic, twin_compression(image, dictionary_of(matches)))


def choose_reference(image: MarsImage, found: Understanding, row: int, column: int, index: int) -> Steps[Understanding]:
    """Use another reference of its class for a tile."""
    if image.orientation != 1:
        raise SettingError(
            "the file stores this image turned, and its tiles are matched as they are stored: no reference can be "
            "chosen for a tile; save it upright first"
        )
    yield Progress("Laying out the references", 0, 1)
    from marsqe.matching import dictionary_of, reference_mosaic, tile_similarity, with_reference

    label = int(found.matches.classes[row, column])
    twins = dictionary_of(found.matches).compressed(label, found.twins, colour=image.is_colour)
    similarity = tile_similarity(image, row, column, twins[index])
    matches = with_reference(found.matches, row, column, index, similarity=similarity)
    return replace(found, matches=matches, mosaic=reference_mosaic(image, matches))


def rematch(image: MarsImage, found: Understanding, labels: NDArray[Any]) -> Steps[Understanding]:
    """Match the tiles whose class is another one in labels that somebody drew; the others keep their references."""
    yield Progress("Loading the engine", 0, 0)
    import marsqe
    from marsqe.matching import dictionary_of, reference_mosaic, with_choices_of

    if labels.min() < 0 or labels.max() > len(CLASSES):
        classes = ", ".join(f"{label} {name}" for label, name in enumerate(CLASSES, 1))
        raise SettingError(f"the terrain layer holds a label that is no terrain; paint with {classes}, or 0 for none")
    terrain = Terrain(labels.astype(np.uint8), None, "drawn")
    dictionary = dictionary_of(found.matches)
    forbidden = [dictionary.patch_id(*patch) for patch in found.matches.forbidden]
    matches = yield from marsqe.match_steps(image, terrain, dictionary, forbidden)
    matches = with_choices_of(matches, found.matches)
    yield Progress("Laying out the references", 0, 1)
    return replace(found, terrain=terrain, matches=matches, mosaic=reference_mosaic(image, matches))


def enhance(
    image: MarsImage, found: Understanding | None, region: Region | None = None, **settings: Any
) -> Steps[Enhancement]:
    """Enhance with what was understood: a region, or all where it is None; settings as of the engine's."""
    yield Progress("Loading the model", 0, 0)
    import marsqe

    understood: dict[str, Any] = {} if found is None else {"terrain": found.terrain, "matches": found.matches}
    enhancement = yield from marsqe.enhance_steps(image, region=region, **understood, **settings)
    # Computed when first asked for: here, in the worker, for the workbench will tell of it.
    known = enhancement.evidence is not None
    yield Progress("Measuring the confidence", int(known), 1)
    return enhancement


def judge(enhancement: Enhancement, truth: MarsImage | None) -> Steps[Judgement]:
    """Compare with the truth, or with the compressed image where there is none."""
    yield Progress("Comparing", 0, 1)
    import marsqe

    return marsqe.judge(enhancement.pixels, truth, compressed=enhancement.source.pixels, terrain=enhancement.terrain)


def export(
    enhancement: Enhancement, path: Path, options: ExportOptions | None = None, judgement: Judgement | None = None
) -> Steps[Path]:
    """Write the enhanced image with its provenance, and what else the options ask for."""
    yield Progress("Writing", 0, 1)
    from marsqe.export import save_enhancement

    return save_enhancement(enhancement, path, options, judgement)
