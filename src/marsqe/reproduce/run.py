"""The whole reproduction: find, measure, write CSV, PNG and the page."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from marsqe.devices import resolve_device
from marsqe.errors import ExportError, MarsqeError, SettingError
from marsqe.export.atomic import atomic
from marsqe.judgement import NOT_COMPUTED
from marsqe.progress import Progress, Steps, run
from marsqe.reproduce import ablation, charts, content, results, sheets
from marsqe.reproduce.against import compared
from marsqe.reproduce.apply import network_of
from marsqe.reproduce.compactness import class_histograms
from marsqe.reproduce.facts import facts_section, images_section
from marsqe.reproduce.findings import Collected, bundled_earth, findings_steps
from marsqe.reproduce.folders import Folder, find_pictures, limited, samples
from marsqe.reproduce.measure import AS_SENT, FIDELITY, Result, Task, terrain_identity, terrain_of
from marsqe.reproduce.pace import fitted_steps
from marsqe.reproduce.page import Section, write_csv, write_page
from marsqe.reproduce.probes import Probe, levels_of, probe_steps
from marsqe.reproduce.settings import Settings
from marsqe.reproduce.systems import System, resolve
from marsqe.reproduce.work import measure_steps

T = TypeVar("T")
_DETAILS = 2
_MOST_LOOKED_AT = 200


@dataclass
class Report:
    """What was written and what went wrong.

    Attributes
    ----------
    page : Path
    files : list of Path
        CSV and PNG files.
    rows : list of dict
        Every measurement.
    failures : list of dict
        "input" and "error" of each image or system that failed.
    strays : list of str
        Files that are no images.
    fresh : int
        Measurements made now and not taken from the cache.
    """

    page: Path
    files: list[Path] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    fresh: int = 0


def reproduce(settings: Settings) -> Report:
    """Compute the paper's tables and figures for a folder of images; see :func:`reproduce_steps`."""
    return run(reproduce_steps(settings))


def reproduce_steps(settings: Settings) -> Steps[Report]:
    """Compute the paper's tables and figures for a folder of images, with progress.

    Results of every image, compression and system are kept in ``out/cache`` by the hash of all that made them: the
    same call goes on where an earlier one stopped.

    Raises
    ------
    SettingError
        If the folder, a split or a system is none, or no image can be opened.
    MissingExtraError
        If matplotlib is not installed.
    WeightsError
        If a file of weights is missing or holds those of another network.
    ExportError
        If ``out`` cannot be written.
    """
    charts.need_matplotlib()
    try:
        for name in ("cache", "tables", "figures"):
            (settings.out / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"cannot make the folder {settings.out}: {error.strerror or error}") from error
    systems = resolve(settings.systems, settings.weights)
    folder = _folder(settings)
    _check(settings, systems)
    report = Report(settings.out / "index.html", strays=folder.strays)
    probes = yield from probe_steps(folder.pictures, report.failures)
    if not probes:
        raise SettingError(f"no image of {settings.data or 'the samples'} can be opened; see the messages above")
    settings = yield from fitted_steps(settings, probes, systems)
    tasks = _tasks(settings, probes, systems)
    found = yield from measure_steps(tasks, settings.jobs)
    report.rows, report.fresh = found.rows, found.fresh
    report.failures += found.failures
    sections = yield from _section_steps(settings, probes, systems, found, report)
    sections.insert(0, facts_section(settings, folder, _splits(probes), systems, report.failures))
    images = [(p.picture.split, p.truth, p.shape, p.mission or "not told by the file") for p in probes]
    sections.insert(1, images_section(images))
    yield Progress("Writing", 0, 1)
    for section in sections:
        report.files += [write_csv(table, settings.out / "tables") for table in section.tables]
        report.files += [figure.path for figure in section.figures]
    report.files.append(_write_rows(report.rows, settings.out / "tables" / "measurements.csv"))
    lead = "Every table and figure of the paper that this folder allows; what it does not is listed with the reason."
    write_page(report.page, "MarsQE reproduced", lead, sections)
    yield Progress("Writing", 1, 1)
    return report


def _check(settings: Settings, systems: Sequence[System]) -> None:
    """Find mistakes of the command now, and not after hours."""
    if settings.earth is not None:
        find_pictures(settings.earth)
    for system in systems:
        if system.file is not None and system.only is None:
            network_of(system.base, system.file, system.weights_sha256, str(resolve_device(settings.device)))


def _folder(settings: Settings) -> Folder:
    if settings.data is not None:
        return find_pictures(settings.data, settings.splits, settings.most_of_each, without=settings.out)
    folder = samples()
    names = list(dict.fromkeys(p.split for p in folder.pictures))
    return replace(folder, pictures=limited(folder.pictures, names, settings.most_of_each))


def _tasks(settings: Settings, probes: Sequence[Probe], systems: Sequence[System]) -> list[Task]:
    rest = (tuple(systems), settings.crop, settings.device, settings.out / "cache")
    return [Task(p.picture, p.sha256, codec, level, *rest) for p in probes for codec, level in levels_of(p, settings)]


def _splits(probes: Sequence[Probe]) -> dict[str, int]:
    """Images with a truth, by split."""
    names = [p.picture.split for p in probes if p.truth]
    return {name: names.count(name) for name in dict.fromkeys(names)}


def _section_steps(
    settings: Settings, probes: Sequence[Probe], systems: list[System], found: Result, report: Report
) -> Steps[list[Section]]:
    out = settings.out / "figures"
    collected, details = yield from _collect_steps(settings, probes, report)
    sections = yield from findings_steps(collected, out, settings.pairs)
    measured = results.Measured([r for r in found.rows if r["codec"] != AS_SENT], systems, _splits(probes))
    table3 = results.quantitative(measured)
    if find_spec("av") is None:
        table3.missing.append(("HEVC", 'PyAV is not installed: pip install "napari-marsqe[codecs]"'))
    yield Progress("Drawing", 0, 1)
    sections += [table3, compared(measured), *results.rate_distortion(measured, out)]
    sections += sheets.sections(details, systems, settings.device, out)
    sections += [
        results.efficiency(measured, out),
        ablation.modules(measured),
        ablation.dictionaries(measured),
        ablation.by_class(measured, collected.class_source or collected.class_reason, out),
        sheets.mismatched(details, systems, settings.device, out),
    ]
    sent = [r for r in found.rows if r["codec"] == AS_SENT]
    sections.append(results.unreferenced(sent, systems, NOT_COMPUTED, out))
    return sections


def _collect_steps(
    settings: Settings, probes: Sequence[Probe], report: Report
) -> Steps[tuple[Collected, list[tuple[str, Any]]]]:
    """Pixels for the findings, textures by class, and details for the sheets: one look at every truth."""
    truths = _thinned([p for p in probes if p.truth])
    earth, source = _earth(settings, report)
    splits = "; ".join(f"{name}: n = {n}" for name, n in _splits(probes).items())
    collected = Collected({}, earth, source, splits)
    labelled = [p for p in truths if p.picture.labels is not None]
    if terrain_identity() is None and not labelled:
        collected.class_reason = "no terrain labels in the folder and no terrain network in this installation"
    else:
        weights = terrain_identity()
        network = f"terrain network {weights[:12]}" if weights else "no network"
        collected.class_source = f"{network}; labels of the folder for {len(labelled)} images"
    details: list[tuple[str, Any]] = []
    wanted = {p.sha256 for p in _spread(truths)}
    for done, probe in enumerate(truths):
        yield Progress("Collecting textures", done, len(truths))
        try:
            pixels, terrain = _look(probe, settings, collected)
        except MarsqeError as error:
            report.failures.append({"input": probe.picture.path.name, "error": str(error)})
            continue
        collected.mars.setdefault(probe.picture.split, []).append(pixels)
        if terrain is not None:
            for name, rows in class_histograms(pixels, terrain).items():
                collected.by_class.setdefault(name, []).append(rows)
        if probe.sha256 in wanted:
            details.append((probe.picture.path.name, sheets.detail(pixels)))
    return collected, details


def _look(probe: Probe, settings: Settings, collected: Collected) -> tuple[Any, Any]:
    if collected.class_reason:
        return content.truth_pixels(content.load(probe.picture.path), settings.crop), None
    return terrain_of(probe.picture, probe.sha256, settings.crop, settings.device, settings.out / "cache")


def _thinned(items: Sequence[T]) -> list[T]:
    """At most ``_MOST_LOOKED_AT``, evenly spaced: their pixels are held in memory."""
    count = min(len(items), _MOST_LOOKED_AT)
    return [items[i * len(items) // count] for i in range(count)]


def _spread(truths: Sequence[Probe]) -> Iterator[Probe]:
    """The first image of each of the first splits, for pictures."""
    splits = list(dict.fromkeys(p.picture.split for p in truths))[:_DETAILS]
    yield from (next(p for p in truths if p.picture.split == split) for split in splits)


def _earth(settings: Settings, report: Report) -> tuple[list[Any], str]:
    if settings.earth is None:
        paths = bundled_earth()
        source = f"photographs of scikit-image: {', '.join(p.stem for p in paths)}; no DIV2K"
    else:
        paths = [p.path for p in find_pictures(settings.earth, most=settings.most_of_each).pictures]
        source = f"folder {settings.earth.name}"
    found = []
    for path in _thinned(paths):
        try:
            found.append(content.truth_pixels(content.load(path), settings.crop))
        except MarsqeError as error:
            report.failures.append({"input": str(path), "error": str(error)})
    return found, source


def _write_rows(rows: Sequence[dict[str, Any]], path: Path) -> Path:
    """Every measurement, one line each, so that any table can be checked."""
    names = ["split", "image", "sha256", "codec", "level", "system", "bpp", *FIDELITY, "brisque", "niqe", "seconds"]
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        lines = csv.DictWriter(stream, names, extrasaction="ignore", restval="")
        lines.writeheader()
        lines.writerows(rows)
    return path
