"""The engine's long work, as the workbench asks for it. Runs in the worker thread: heavy imports happen here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from marsqe.image import Compression, MarsImage, Pixels
from marsqe.progress import Progress, Steps
from marsqe.results import Enhancement, Judgement, Matches
from marsqe.terrain import Terrain


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


def simulate(pixels: Pixels, quality: int, subsampling: str, name: str) -> Steps[tuple[MarsImage, Pixels]]:
    """Compress pixels as a rover would before it sends them. Returns the image and the truth of its depth."""
    import marsqe
    from marsqe.colour import as_8bit

    yield Progress("Compressing", 0, 1)
    image = marsqe.simulate_downlink(pixels, quality, subsampling, name=name)
    return image, as_8bit(pixels)


def understand(image: MarsImage, device: str) -> Steps[Understanding]:
    """Find the terrain, then a reference for every tile."""
    yield Progress("Loading the engine", 0, 0)
    import marsqe
    from marsqe.matching import load_dictionary, reference_mosaic, twin_compression

    terrain = yield from marsqe.segment_steps(image, device=device)
    matches = yield from marsqe.match_steps(image, terrain)
    yield Progress("Laying out the references", 0, 1)
    mosaic = reference_mosaic(image, matches)
    return Understanding(terrain, matches, mosaic, twin_compression(image, load_dictionary()))


def enhance(
    image: MarsImage, found: Understanding | None, *, model: str, device: str, faithful: bool
) -> Steps[Enhancement]:
    """Enhance with what was understood."""
    yield Progress("Loading the model", 0, 0)
    import marsqe

    terrain, matches = (None, None) if found is None else (found.terrain, found.matches)
    return (
        yield from marsqe.enhance_steps(
            image, model=model, device=device, terrain=terrain, matches=matches, faithful=faithful
        )
    )


def judge(enhancement: Enhancement, truth: Pixels | None) -> Steps[Judgement]:
    """Compare with the truth, or with the compressed image where there is none."""
    yield Progress("Comparing", 0, 1)
    import marsqe

    return marsqe.judge(enhancement.pixels, truth, compressed=enhancement.source.pixels, terrain=enhancement.terrain)


def export(enhancement: Enhancement, path: Path) -> Steps[Path]:
    """Write the enhanced image with its provenance."""
    yield Progress("Writing", 0, 1)
    from marsqe.export import save_enhancement

    return save_enhancement(enhancement, path)
