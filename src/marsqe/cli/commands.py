"""One function for each command; each takes the parsed arguments and returns the exit code."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

import marsqe
from marsqe.cli.export import export_options, gains_in_words, judged, truth_for
from marsqe.cli.output import emit, follow, for_each, note_if_not_held
from marsqe.cli.paths import output_for
from marsqe.cli.windowed import checked_windowed, enhance_in_windows, in_windows
from marsqe.image import MarsImage
from marsqe.results import Region
from marsqe.terrain import CLASSES


def info(arguments: Namespace) -> int:
    """What each file says of itself."""

    def work(path: Path) -> dict[str, Any]:
        return describe(marsqe.open_image(path))

    def line(r: dict[str, Any]) -> str:
        kind = "colour" if r["channels"] == 3 else "gray"
        size = f"{r['width']} x {r['height']}, {kind}, {r['bits']}-bit"
        facts = [size, r["product"].get("summary", ""), r["compression"]["summary"], f"SHA-256 {r['sha256'][:12]}"]
        return f"{r['input']}: {'; '.join(filter(None, facts))}{careful(r)}"

    return emit(for_each(arguments.inputs, work), arguments.json, line)


def careful(result: dict[str, Any]) -> str:
    """What to know of an input, as the end of its line; empty where there is nothing."""
    return "".join(f"; careful: {text}" for text in result.get("warnings", ()))


def describe(image: MarsImage) -> dict[str, Any]:
    """Facts of an image, JSON-ready."""
    c = image.compression
    return {
        "width": image.shape[1],
        "height": image.shape[0],
        "channels": 3 if image.is_colour else 1,
        "bits": image.pixels.dtype.itemsize * 8,
        "sha256": image.sha256,
        "orientation": image.orientation,
        "warnings": list(image.warnings),
        "compression": {
            "codec": c.codec,
            "lossy": c.lossy,
            "quality": c.quality,
            "quality_exact": c.quality_exact,
            "subsampling": c.subsampling_name,
            "bits_per_pixel": c.bits_per_pixel,
            "tables": None if c.tables is None else [t.tolist() for t in c.tables],
            "summary": c.summary(),
        },
        "product": _without_none(asdict(image.product) | {"summary": image.product.summary() or None}),
    }


def _without_none(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if value is not None}


def enhance(arguments: Namespace) -> int:
    """Enhance each input and write it with its provenance."""
    from marsqe.codecs.estimated import estimated_in_words, with_estimated_tables
    from marsqe.export.images import PNG_ENDINGS, TIFF_ENDINGS
    from marsqe.matching import working_dictionary
    from marsqe.networks.registry import AUTO, find

    if arguments.model != AUTO:
        find(arguments.model)
    working_dictionary().checked_ban(arguments.forbid)
    target = output_for(arguments.inputs, arguments.output, ".tif", allowed=(*TIFF_ENDINGS, *PNG_ENDINGS))
    region = Region(*arguments.region) if arguments.region else None
    options = export_options(arguments)
    windowed = checked_windowed(arguments, options)

    def work(path: Path) -> dict[str, Any]:
        output = target(path)
        if in_windows(windowed, path, output):
            return enhance_in_windows(arguments, path, output)
        image = marsqe.open_image(path)
        if arguments.estimate_tables:
            image = with_estimated_tables(image)
        truth = truth_for(image, arguments.truth)
        steps = marsqe.enhance_steps(
            *(image, arguments.model, arguments.device, region),
            faithful=not arguments.no_faithful,
            forbidden=arguments.forbid,
            precision=arguments.precision,
            parts=False,
        )
        result = follow(steps, path.name)
        judgement = judged(result, truth)
        written = result.save(output, options, judgement)
        gains = {} if judgement is None else {"truth": str(arguments.truth), **judgement.as_record()}
        gains |= {"truth_sha256": judgement.truth["sha256"]} if judgement is not None else {}
        told = result.provenance
        note_if_not_held(str(path), told["settings"])
        return {
            "output": str(written),
            "model": result.model,
            "device": result.device,
            "seconds": round(result.seconds, 3),
            "faithful": told["settings"]["faithful"],
            "not_held": told["settings"].get("not_held"),
            "estimated": told["source"].get("estimated"),
            "terrain": result.terrain.shares(),
            "depth": options.depth,
            "windowed": False,
            "warnings": list(image.warnings),
            **gains,
        }

    def line(r: dict[str, Any]) -> str:
        numbers = "; 32-bit numbers within the JPEG's intervals" if r.get("depth") == "float" else ""
        found = r.get("estimated")
        numbers += f"; {estimated_in_words(found)}" if found else ""
        head = f"{r['input']} -> {r['output']} ({r['model']} on {r['device']}, {r['seconds']:.1f} s{numbers})"
        return head + gains_in_words(r) + careful(r)

    return emit(for_each(arguments.inputs, work), arguments.json, line)


def segment(arguments: Namespace) -> int:
    """Write the terrain classes of each input as an 8-bit PNG."""
    from marsqe.export import save_terrain

    target = output_for(arguments.inputs, arguments.output, ".png", allowed=(".png",))

    def work(path: Path) -> dict[str, Any]:
        output = target(path)
        image = marsqe.open_image(path)
        terrain = follow(marsqe.segment_steps(image, arguments.device), path.name)
        return {"output": str(save_terrain(terrain, output)), "shares": terrain.shares()}

    def line(r: dict[str, Any]) -> str:
        return f"{r['input']} -> {r['output']} ({shares_in_words(r['shares'])})"

    return emit(for_each(arguments.inputs, work), arguments.json, line)


def shares_in_words(shares: dict[str, float]) -> str:
    """For example "62 % rock, 38 % soil", the largest first."""
    present = sorted(((share, name) for name, share in shares.items() if share > 0), reverse=True)
    return ", ".join(f"{100 * share:.0f} % {name}" for share, name in present) or "nothing labelled"


def match(arguments: Namespace) -> int:
    """The reference of every tile."""
    from marsqe.matching import dictionary_of, working_dictionary

    working_dictionary().checked_ban(arguments.forbid)

    def work(path: Path) -> dict[str, Any]:
        image = marsqe.open_image(path)
        terrain = follow(marsqe.segment_steps(image, arguments.device), path.name)
        found = follow(marsqe.match_steps(image, terrain, None, arguments.forbid), path.name)
        dictionary = dictionary_of(found)
        rows, columns = found.shape
        tiles = [
            {
                "row": row,
                "column": column,
                "class": CLASSES[found.classes[row, column] - 1],
                "reference": int(found.references[row, column]),
                "name": dictionary.patch_id(int(found.classes[row, column]), int(found.references[row, column])),
                "divergence": float(found.divergences[row, column]),
                "similarity": float(found.similarity[row, column]),
            }
            for row in range(rows)
            for column in range(columns)
        ]
        return {"rows": rows, "columns": columns, "tiles": tiles}

    def line(r: dict[str, Any]) -> str:
        head = f"{r['input']}: row column class reference divergence"
        tiles = (f"{t['row']} {t['column']} {t['class']} {t['reference']} {t['divergence']:.4f}" for t in r["tiles"])
        return "\n".join([head, *tiles])

    return emit(for_each(arguments.inputs, work), arguments.json, line)


def compress(arguments: Namespace) -> int:
    """Compress each input to JPEG at one quality factor."""
    from marsqe.codecs.downlink import encode_pixels
    from marsqe.export.atomic import atomic

    target = output_for(arguments.inputs, arguments.output, ".jpg", allowed=(".jpg", ".jpeg"))

    def work(path: Path) -> dict[str, Any]:
        image = marsqe.open_image(path)
        data = encode_pixels(image.pixels, arguments.qf, arguments.subsampling, full_scale=image.full_scale)
        output = target(path)
        with atomic(output) as part:
            part.write_bytes(data)
        height, width = image.shape
        return {"output": str(output), "bytes": len(data), "bits_per_pixel": 8 * len(data) / (height * width)}

    def line(r: dict[str, Any]) -> str:
        return f"{r['input']} -> {r['output']} ({r['bits_per_pixel']:.2f} bits per pixel)"

    return emit(for_each(arguments.inputs, work), arguments.json, line)


def demo(arguments: Namespace) -> int:
    """The main job on a bundled sample: enhanced TIFF and report, then napari if asked."""
    from marsqe.cli.demo import run_demo

    return run_demo(arguments)
