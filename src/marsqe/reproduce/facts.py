"""The page's first section: what was read, with what, and how it was measured."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from marsqe.reproduce.folders import Folder
from marsqe.reproduce.measure import terrain_identity, versions
from marsqe.reproduce.page import Section, Table
from marsqe.reproduce.settings import Settings
from marsqe.reproduce.systems import System

_MOST_STRAYS = 20


def facts_section(
    settings: Settings,
    folder: Folder,
    splits: Mapping[str, int],
    systems: Sequence[System],
    failures: Sequence[Mapping[str, str]],
) -> Section:
    """Command, folder, codecs, colour space and range, versions, weights, and every file that was left out."""
    section = Section("How this was made")
    section.notes = [
        f"Command: {settings.command or 'called from Python'}.",
        f"Folder: {settings.data.name if settings.data else 'bundled samples'} ({folder.layout}); "
        + ("; ".join(f"{name}: n = {n} with truth" for name, n in splits.items()) or "no image with a truth")
        + f"; {sum(p.truth is False for p in folder.pictures)} without.",
        "Codecs: JPEG by Pillow (libjpeg-turbo), standard Annex K tables, 4:2:0; HEVC main still picture by x265 "
        "(preset veryslow, tune ssim), true QP, 4:2:0, full-range BT.601. Bits per pixel count every byte written.",
        "Colour space and range: 8-bit non-linear RGB as stored (gray stays gray), 0 to 255; deeper truth is scaled to "
        "8 bits first. Luma, where it is used, is BT.601.",
        "Our presets run as in the product: coefficients of JPEG files are kept within their quantization cells "
        "(“projected”). Rivals run alone, as published, with the weights that were given (those of `marsqe train` are "
        "trained on our images for all qualities at once; no weights of their authors come with the package).",
    ]
    if settings.crop is not None:
        note = f"Only the central {settings.crop} x {settings.crop} pixels of each image were used"
        if settings.quick:
            note += f", and at most {settings.most_of_each} of each split: a quick look, no result"
        if settings.fitted:
            note += (
                f": the largest square with which {settings.jobs} processes were expected to end within the "
                f"{(settings.budget or 0) / 60:.0f} minutes of --budget; --whole takes whole images"
            )
        section.notes.append(f"{note}.")
    rows = [
        [s.title, s.name, (s.weights_sha256 or "–")[:16], "file" if s.file else "package" if s.weights_sha256 else "–"]
        for s in systems
        if s.reason is None
    ]
    rows.append(["terrain network", "marsqe-terrain", (terrain_identity() or "–")[:16], "package"])
    head = ["system", "name", "SHA-256 of its weights", "from"]
    section.tables = [
        Table("systems", "What was computed", head, rows),
        Table("versions", "Versions", ["library", "version"], [list(item) for item in versions().items()]),
    ]
    section.missing = [(s.title, s.reason) for s in systems if s.reason]
    section.missing += [(_within(f["input"], settings), _within(f["error"], settings)) for f in failures]
    section.missing += [(_within(stray, settings), "no image") for stray in folder.strays[:_MOST_STRAYS]]
    if len(folder.strays) > _MOST_STRAYS:
        section.missing.append((f"{len(folder.strays) - _MOST_STRAYS} more files", "no images"))
    return section


def images_section(images: Sequence[tuple[str, bool, tuple[int, int], str]]) -> Section:
    """Table II: the images of each split: (split, truth, height and width, rover) of each."""
    rows = []
    for split in dict.fromkeys(name for name, *_ in images):
        of = [image for image in images if image[0] == split]
        sizes = sorted({shape for _, _, shape, _ in of}, key=lambda shape: shape[0] * shape[1])
        spans = " to ".join(dict.fromkeys(f"{w} x {h}" for h, w in (sizes[0], sizes[-1])))
        rovers = ", ".join(sorted({rover for *_, rover in of}))
        rows.append([split, len(of), sum(truth for _, truth, *_ in of), spans, rovers])
    header = ["split", "images", "with truth", "size", "rover, by the file's name or label"]
    return Section("Table II: images", tables=[Table("table2", "Images that were read", header, rows)])


def _within(text: str, settings: Settings) -> str:
    """Text with paths as they are within the folders: a page travels further than a machine."""
    for folder in (settings.data, settings.earth):
        if folder is not None:
            text = text.replace(f"{folder}{os.sep}", "")
    return text
