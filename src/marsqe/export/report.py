"""A one-page HTML report of an enhancement, with its pictures inside: one file to keep or to send."""

from __future__ import annotations

import base64
import html
import io
import json
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.colour import as_8bit, as_rgb
from marsqe.errors import MarsqeError
from marsqe.export.atomic import atomic
from marsqe.export.options import ExportOptions
from marsqe.export.record import STATEMENT, readable_facts, record_of
from marsqe.export.sidecars import source_bytes
from marsqe.results import TILE, Enhancement, Judgement
from marsqe.terrain import CLASSES, COLOURS, Terrain

_WIDEST: Final = 900
_TALLEST: Final = 4000
"""WebP holds no more than 16383 pixels a side; a page is readable below that."""
_RESIDUAL_GAIN: Final = 8

_PAGE: Final = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
 body { font: 16px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto; padding: 0 1rem; color: #222; }
 h1 { margin-bottom: 0; } .lead { color: #555; margin-top: .2rem; }
 .pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 1rem; }
 figure { margin: 0; } img { width: 100%; height: auto; border-radius: 4px; background: #000; }
 figcaption { font-size: .9rem; color: #444; } table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
 th, td { text-align: right; padding: .25rem .9rem; border-bottom: 1px solid #ddd; } th:first-child, td:first-child
 { text-align: left; } .key span { display: inline-block; width: .9em; height: .9em; margin: 0 .3em 0 1em; }
 .statement { border-left: 4px solid #d55e00; padding: .3rem .8rem; background: #fdf3ec; }
 .facts td { text-align: left; overflow-wrap: anywhere; } .facts td:first-child { color: #555; white-space: nowrap; }
 details pre { overflow-x: auto; background: #f5f5f5; padding: 1rem; font-size: .85rem; }
</style>
<h1>$title</h1>
<p class="lead">$lead</p>
<p class="statement">$statement</p>
<h2>The image</h2>
$facts
<h2>Numbers</h2>
$numbers
$held
<h2>Pictures</h2>
<div class="pictures">$pictures</div>
<p class="key">Terrain:$key</p>
<h2>References</h2>
<p>$references</p>
<details><summary>How this was made (provenance)</summary><pre>$provenance</pre></details>
</html>
""")


def write_report(result: Enhancement, judgement: Judgement, path: Path, title: str = "MarsQE report") -> Path:
    """Write the report of one enhancement.

    Parameters
    ----------
    result : Enhancement
    judgement : Judgement
        With a truth the report shows residuals and gains, without one the change alone.
    path : Path
        An ``.html`` file.
    title : str

    Raises
    ------
    ExportError
        If the file cannot be written.
    """
    page = render_report(result, judgement, title)
    with atomic(path) as part:
        part.write_text(page, encoding="utf-8")
    return path


def render_report(
    result: Enhancement,
    judgement: Judgement | None,
    title: str = "MarsQE report",
    record: dict[str, Any] | None = None,
) -> str:
    """The report as one HTML document; see :func:`write_report`.

    Without a judgement only the change is shown. ``record`` stands for the enhancement's provenance where a file was
    written with more than that.
    """
    found = judgement or _unjudged(result)
    told = (record or record_of(result, ExportOptions())) | ({"truth": found.truth} if found.truth else {})
    return _PAGE.substitute(
        title=html.escape(title),
        lead=html.escape(_lead(result)),
        statement=html.escape(STATEMENT),
        facts=_facts(told),
        numbers=_numbers(found),
        held=_held(result),
        pictures="".join(_figure(pixels, text) for pixels, text in _pictures(result, found)),
        key="".join(f'<span style="background: rgb{COLOURS[name]}"></span>{name}' for name in CLASSES),
        references=html.escape(_references(result)),
        provenance=html.escape(json.dumps(_without_labels(told), indent=2, sort_keys=True)),
    )


def _facts(record: dict[str, Any]) -> str:
    facts = readable_facts(record)
    chosen = record.get("export") or {}
    depth = chosen.get("depth")
    facts["written_as"] = ", ".join(
        [
            "the source's depth" if depth == "source" else f"depth {depth}",
            f"compression {chosen.get('compression')}",
            *(f"layer {name}" for name in chosen.get("layers") or []),
            *(f"sidecar {name}" for name in chosen.get("sidecars") or []),
        ]
    )
    rows = (
        f"<tr><td>{html.escape(key.replace('_', ' '))}</td><td>{html.escape(text)}</td></tr>"
        for key, text in facts.items()
        if key not in ("statement", "enhanced")
    )
    return f'<table class="facts">{"".join(rows)}</table>'


def _held(result: Enhancement) -> str:
    """Whether the result was held to its JPEG, and how much of the file comes back when it is compressed again."""
    settings = result.provenance.get("settings", {})
    faithful = settings.get("faithful")
    if faithful is None:
        return ""
    words = ["Held to the intervals that the JPEG recorded." if faithful else _not_held(settings)]
    with suppress(MarsqeError):
        from marsqe.judgement.verification import verify

        if result.source.compression.codec == "JPEG":
            found = verify(result.source, source_bytes(result.source), result.pixels)
            words.append(
                f"Compressed again as the file was, {100 * found.blocks:.2f} % of the 8 x 8 blocks and "
                f"{100 * found.coefficients:.3f} % of the coefficients come back identical; of the JPEG's own pixels "
                f"{100 * found.jpeg_blocks:.2f} % of the blocks do."
            )
    return f"<p>{' '.join(words)}</p>"


def _not_held(settings: dict[str, Any]) -> str:
    why = settings.get("not_held")
    return f"Not held to a JPEG: {why}." if why else "Not held to a JPEG."


def _without_labels(record: dict[str, Any]) -> dict[str, Any]:
    """The record without the embedded labels, which nobody reads as text."""
    terrain = record.get("terrain")
    if not isinstance(terrain, dict) or "labels_png" not in terrain:
        return record
    return {**record, "terrain": {**terrain, "labels_png": "(in the record that the image holds)"}}


def _unjudged(result: Enhancement) -> Judgement:
    from marsqe.judgement import judge

    return judge(result.pixels, compressed=result.source.pixels)


def _lead(result: Enhancement) -> str:
    height, width = result.source.shape
    how = f"enhanced by {result.model} on {result.device} in {result.seconds:.1f} s"
    return f"{result.source.name}: {width} x {height} pixels, {result.source.compression.summary()}; {how}."


def _numbers(judgement: Judgement) -> str:
    m = judgement.metrics
    if not judgement.has_truth:
        return (
            "<p>No truth was given, so no gain can be stated. The enhanced image differs from the compressed one by "
            f"{m['mean_change']:.2f} DN on average and {m['largest_change']:.0f} DN at most.</p>"
        )
    rows = [
        ("PSNR (dB)", m["psnr_compressed"], m["psnr_enhanced"], m["delta_psnr"], ".2f"),
        ("SSIM", m["ssim_compressed"], m["ssim_enhanced"], m["ssim_enhanced"] - m["ssim_compressed"], ".4f"),
    ]
    cells = "".join(
        f"<tr><td>{name}</td><td>{before:{f}}</td><td>{after:{f}}</td><td>{gain:+{f}}</td></tr>"
        for name, before, after, gain, f in rows
    )
    classes = "".join(f"<tr><td>{name}</td><td>{gain:+.2f}</td></tr>" for name, gain in judgement.per_class.items())
    return (
        f"<table><tr><th></th><th>compressed</th><th>enhanced</th><th>gain</th></tr>{cells}</table>"
        f"<table><tr><th>terrain</th><th>ΔPSNR (dB)</th></tr>{classes}</table>"
    )


def _pictures(result: Enhancement, judgement: Judgement) -> list[tuple[NDArray[np.uint8], str]]:
    from marsqe.matching import reference_mosaic

    scale = result.source.full_scale
    compressed = as_8bit(result.source.pixels, scale)
    pictures = [
        (compressed, "Compressed"),
        (as_8bit(result.pixels, scale), f"Enhanced ({result.model})"),
        (_overlay(compressed, result.terrain), "Terrain"),
        (as_8bit(reference_mosaic(result.source, result.matches), scale), "Matched references, tile by tile"),
    ]
    depth = scale / 255 if result.source.data_range > 255 else 1
    if judgement.residual_compressed is not None and judgement.residual_enhanced is not None:
        for name, residual in (("before", judgement.residual_compressed), ("after", judgement.residual_enhanced)):
            pictures.append((_amplified(residual / depth), f"Residual to raw {name}, x{_RESIDUAL_GAIN}"))
    else:
        pictures.append((_amplified(judgement.change / depth), f"What was changed, x{_RESIDUAL_GAIN}"))
    return pictures


def _amplified(residual: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    return np.clip(residual * _RESIDUAL_GAIN, 0, 255).astype(np.uint8)


def _overlay(pixels: NDArray[np.uint8], terrain: Terrain) -> NDArray[np.uint8]:
    palette = np.array([(0, 0, 0), *(COLOURS[name] for name in CLASSES)], np.float32)
    mixed = 0.55 * as_rgb(pixels).astype(np.float32) + 0.45 * palette[terrain.labels]
    return mixed.astype(np.uint8)


def _figure(pixels: NDArray[Any], caption: str) -> str:
    image = Image.fromarray(pixels)
    image.thumbnail((_WIDEST, _TALLEST), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=90, method=2)
    data = base64.b64encode(stream.getvalue()).decode()
    text = html.escape(caption)
    return f'<figure><img alt="{text}" src="data:image/webp;base64,{data}"><figcaption>{text}</figcaption></figure>'


def _references(result: Enhancement) -> str:
    matches = result.matches
    different = {(int(c), int(r)) for c, r in zip(matches.classes.ravel(), matches.references.ravel(), strict=True)}
    return (
        f"{matches.classes.size} tiles of {TILE} pixels were matched to {len(different)} reference patches; median KL "
        f"divergence {np.median(matches.divergences):.3f} nats, mean similarity {matches.similarity.mean():.2f}."
    )
