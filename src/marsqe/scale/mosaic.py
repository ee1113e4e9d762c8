"""One image that does not fit into memory: read in bands, enhanced in windows, written as a pyramid."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.codecs.coefficients import Coefficients, components_of
from marsqe.devices import resolve_device
from marsqe.enhancement.faithful import why_not_held
from marsqe.enhancement.mosaic import Band, Mosaic, ReadBlocks, bands_steps, choose_for_mosaic
from marsqe.enhancement.pipeline import computed_on, provenance_of
from marsqe.enhancement.windows import BAND
from marsqe.errors import ExportError
from marsqe.export.atomic import atomic
from marsqe.export.exif import append_exif
from marsqe.export.leftovers import SUFFIX, prefix, remove_leftovers
from marsqe.export.options import ExportOptions
from marsqe.export.pyramid import PyramidWriter
from marsqe.export.record import readable_facts, record_of
from marsqe.export.scale import metres_per_pixel
from marsqe.export.tiff import first_page
from marsqe.image import MarsImage
from marsqe.matching import working_dictionary
from marsqe.networks.registry import Preset
from marsqe.ome import Page
from marsqe.progress import Steps
from marsqe.read.large import header_view, open_large
from marsqe.read.rows import RawRows
from marsqe.results import Enhancement, Matches, Region
from marsqe.segmentation.large import LargeTerrain, segment_large_steps
from marsqe.terrain import CLASSES, Terrain

ENDINGS: Final = (".tif", ".tiff")


@dataclass(frozen=True)
class LargeResult:
    """What is known of an image that was enhanced in windows.

    Attributes
    ----------
    header : MarsImage
        Without its pixels, see :func:`marsqe.read.large.header_view`.
    path : Path
        The file written.
    model, device : str
    seconds : float
        Of computing.
    shares : dict
        As :meth:`marsqe.terrain.Terrain.shares`.
    mean_change, largest_change : float
        Between the compressed and the enhanced image, in DN, as in :func:`marsqe.judge`.
    provenance : dict
    """

    header: MarsImage
    path: Path
    model: str
    device: str
    seconds: float
    shares: dict[str, float]
    mean_change: float
    largest_change: float
    provenance: dict[str, Any]


def enhance_large_steps(
    path: Path,
    output: Path,
    model: str = "auto",
    device: str = "auto",
    *,
    faithful: bool = True,
    core: int = BAND,
    batch: int = 8,
    precision: str = "auto",
) -> Steps[LargeResult]:
    """Enhance a file into a tiled TIFF with smaller levels, without ever holding the whole image.

    Parameters
    ----------
    path, output : Path
        The output's ending is ``.tif`` or ``.tiff``; it is a BigTIFF where it must be.
    model, device, faithful, batch, precision
        As in :func:`marsqe.enhance`. "auto" takes no model that has to see the whole image.
    core : int
        Side of a window, a multiple of 128.

    Raises
    ------
    ReadError, SettingError, WeightsError, DeviceError, ExportError
        As :func:`marsqe.open_image`, :func:`marsqe.enhance` and :func:`marsqe.export.save_enhancement`.
    """
    if output.suffix.lower() not in ENDINGS:
        raise ExportError(f"cannot write {output.name}: large images are written as .tif or .tiff")
    place = resolve_device(device)
    preset = choose_for_mosaic(model, place)
    with _scratch(output) as name:
        scratch = Path(name)
        header, rows = open_large(path, scratch)
        blocks = _blocks(header, scratch) if faithful else None
        header.metadata.pop("encoded", None)  # as large as the file, and not needed any more
        terrain = yield from segment_large_steps(rows.read, header, device)
        mosaic = Mosaic(header, rows.read, terrain, blocks)
        labels = _Labels()
        for band in _label_bands(terrain, core):
            labels.add(band)
        result = _enhancement(mosaic, preset, place, precision, labels, faithful=faithful)
        tally = _Tally()
        with atomic(output) as part:
            writer = PyramidWriter(part, header.pixels.shape, header.pixels.dtype, scratch)
            try:
                writer.start(_options(result))

                def take(band: Band) -> None:
                    writer.add(band.pixels)
                    tally.add(band.pixels, rows.read(band.top, band.top + len(band.pixels)))

                seconds = yield from bands_steps(
                    mosaic, preset, device, take, core=core, batch=batch, precision=precision
                )
                writer.finish()
            except BaseException:
                writer.leave()
                raise
            append_exif(part, header.metadata.get("exif"))
    return LargeResult(
        *(header, output, preset.name, place.type, seconds, labels.shares(), tally.mean, tally.largest),
        provenance=result.provenance,
    )


def _scratch(output: Path) -> tempfile.TemporaryDirectory[str]:
    # Beside the output: the system's own folder for temporary files may be kept in memory.
    remove_leftovers(output.parent)
    try:
        return tempfile.TemporaryDirectory(prefix=prefix(), suffix=SUFFIX, dir=output.parent)
    except OSError as error:
        raise ExportError(
            f"cannot write to {output.parent}: {error.strerror or error}; choose another folder"
        ) from error


def _blocks(header: MarsImage, scratch: Path) -> ReadBlocks | None:
    """The JPEG's coefficients on the disk; None where the file has none that can be kept to."""
    data, tables = header.metadata.get("encoded"), header.compression.tables
    if header.compression.codec != "JPEG" or header.metadata.get("colour_transform") == "RGB":
        return None
    assert data is not None
    assert tables is not None
    horizontal, vertical = header.compression.subsampling or (1, 1)
    steps = [(1, 1), (horizontal, vertical), (horizontal, vertical)][: len(tables)]
    planes = []
    components = components_of(data, len(tables))
    for number, (component, (across, down)) in enumerate(zip(components, steps, strict=True)):
        if component.shape[:2] != (-(-header.shape[0] // (8 * down)), -(-header.shape[1] // (8 * across))):
            return None
        file = scratch / f"component{number}.raw"
        component.tofile(file)
        planes.append(RawRows(file, component.shape, component.dtype))

    def read(place: Region) -> Coefficients:
        found = []
        for plane, (across, down) in zip(planes, steps, strict=True):
            top, bottom = place.y // (8 * down), -(-(place.y + place.height) // (8 * down))
            left, right = place.x // (8 * across), -(-(place.x + place.width) // (8 * across))
            found.append(plane.read(top, bottom)[:, left:right])
        return Coefficients(tuple(found), tables)

    return read


def _label_bands(terrain: LargeTerrain, core: int) -> Any:
    for top in range(0, terrain.shape[0], core):
        yield terrain.rows(top, min(top + core, terrain.shape[0]))


class _Labels:
    """Hash and shares of labels that come in bands."""

    def __init__(self) -> None:
        self._hash, self._counts = hashlib.sha256(), np.zeros(len(CLASSES) + 1, np.int64)

    def add(self, labels: NDArray[np.uint8]) -> None:
        self._hash.update(labels.tobytes())
        self._counts += np.bincount(labels.ravel(), minlength=len(self._counts))

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def shares(self) -> dict[str, float]:
        total = max(1, int(self._counts[1:].sum()))
        return {name: int(n) / total for name, n in zip(CLASSES, self._counts[1:], strict=True)}


class _Tally:
    """Change between two images that come in bands."""

    def __init__(self) -> None:
        self._sum, self._count, self.largest = 0.0, 0, 0.0

    def add(self, enhanced: NDArray[Any], compressed: NDArray[Any]) -> None:
        change = np.abs(enhanced.astype(np.float32) - compressed)
        change = change if change.ndim == 2 else change.mean(axis=2)
        self._sum += float(change.sum(dtype=np.float64))
        self._count += change.size
        self.largest = max(self.largest, float(change.max()))

    @property
    def mean(self) -> float:
        return self._sum / max(1, self._count)


def _enhancement(
    mosaic: Mosaic, preset: Preset, place: Any, precision: str, labels: _Labels, *, faithful: bool
) -> Enhancement:
    """The value that records are made from, with views in place of pixels."""
    header, found = mosaic.header, mosaic.terrain
    small = Terrain(found.labels, found.probabilities, found.source)
    not_held = None if mosaic.blocks is not None else why_not_held(header, wanted=faithful)
    provenance = provenance_of(
        *(header, small, preset, None), not_held=not_held, dictionary=working_dictionary().sha256
    )
    provenance["settings"] = computed_on(place, precision) | provenance["settings"]
    provenance["terrain"]["sha256"] = labels.sha256
    provenance["windowed"] = True
    nothing: NDArray[Any] = np.zeros((0, 0))
    matches = Matches(nothing.astype(np.uint8), nothing.astype(np.int64), nothing, nothing, nothing)
    return Enhancement(
        *(header_view(header.pixels.shape, header.pixels.dtype), header, small, matches, preset.name, place.type, 0.0),
        provenance=provenance,
    )


def _options(result: Enhancement) -> dict[str, Any]:
    """What the first page of the file tells, as that of any export does."""
    choices, metadata = ExportOptions(), result.source.metadata
    record = record_of(result, choices)
    page = Page(f"enhanced ({result.model})", result.pixels)
    metres = metres_per_pixel(metadata, choices.pixel_size)
    return first_page([page], record, readable_facts(record), metadata, metres, result.source.full_scale)
