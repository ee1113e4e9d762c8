"""Calibration of the confidence: images with a truth, the errors that remain in them, and the rule that covers them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from marsqe.codecs.coefficients import coefficients_from_bytes
from marsqe.codecs.jpeg import Table, decode_jpeg, encode_jpeg, standard_tables
from marsqe.enhancement.confidence import TARGET, Rule, file_facts, mean_difference, predictors
from marsqe.enhancement.faithful import cell_of_quality, hold
from marsqe.errors import SettingError
from marsqe.image import Compression
from marsqe.train.corpus import is_bright, listed_files, load_pixels
from marsqe.train.evaluate import TRUTH_QUALITY, enhanced_values

QUALITIES: Final = (20, 35, 55, 75, 88, 95)
GROUPS: Final = 6
"""Groups of equal size by predicted scale, each with a factor of its own."""
_DRAWN: Final = 1500
RATIOS: Final = {"4:2:0": (2, 2), "4:4:4": (1, 1)}


@dataclass(frozen=True)
class Source:
    """Images of one kind; ``most`` is the highest quality that they are a truth for."""

    name: str
    files: list[Path]
    divisor: int = 1
    most: int = 100


@dataclass(frozen=True)
class Example:
    """A crop with its truth: pixels (H, W[, 3]) uint8."""

    source: str
    file: str
    quality: int
    tables: tuple[Table, ...]
    truth: NDArray[np.uint8]
    jpeg: NDArray[np.uint8]
    enhanced: NDArray[np.uint8]


def calibration_sources(data: Path) -> list[Source]:
    """The kinds of images that are calibrated on: of other sols, cameras and rovers, colour and gray, at two sizes."""
    gray = listed_files(data, "train/msl_gray")
    sources = [
        Source("val/msl_mastcam", listed_files(data, "val/msl_mastcam")),
        Source("val/m2020_hazcam", listed_files(data, "val/m2020_hazcam")),
        Source("train/msl_gray", gray),
        Source("train/msl_gray, halved", gray[1::2], 2),
        Source("train/mixed_colour", listed_files(data, "train/mixed_colour")),
        Source("ai4mars labels", _labelled(data, "ai4mars"), most=90),
        Source("marsdata labels", _labelled(data, "marsdata_rocks"), most=60),
    ]
    found = [source for source in sources if source.files]
    if len(found) < 2:
        raise SettingError(f"{data} holds fewer than two of the sets to calibrate confidence on; see docs/evidence.md")
    return found


def _labelled(data: Path, name: str) -> list[Path]:
    listing = data / "segmentation.csv"
    if not listing.is_file():
        return []
    with listing.open(newline="") as stream:
        return [data / r["image"] for r in csv.DictReader(stream) if (r["source"], r["split"]) == (name, "val")]


def examples(
    network: nn.Module, source: Source, images: int, side: int, qualities: Sequence[int] = QUALITIES
) -> Iterator[Example]:
    """Crops of a source, compressed and enhanced as the product does; 4:2:0 and 4:4:4 in turn."""
    chosen = np.unique(np.linspace(0, len(source.files) - 1, min(images, len(source.files))).astype(int))
    for number, file in enumerate(source.files[i] for i in chosen):
        whole = _plain(load_pixels(file))
        random = np.random.default_rng(number)
        for quality in (q for q in qualities if q <= source.most):
            divisor = source.divisor * (2 if quality > TRUTH_QUALITY else 1)
            scaled = whole if divisor == 1 else np.asarray(Image.fromarray(whole).reduce(divisor))
            subsampling = "4:2:0" if number % 2 == 0 else "4:4:4"
            yield _example(network, source.name, file.name, _crop(scaled, random, side), quality, subsampling)


def _plain(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gray where all channels are the same."""
    same = pixels.ndim == 3 and bool((pixels == pixels[..., :1]).all())
    return np.ascontiguousarray(pixels[..., 0]) if same else pixels


def _crop(pixels: NDArray[np.uint8], random: np.random.Generator, side: int) -> NDArray[np.uint8]:
    crop = pixels
    for _ in range(8):
        y, x = (8 * int(random.integers(max(0, n - side) // 8 + 1)) for n in pixels.shape[:2])
        crop = np.ascontiguousarray(pixels[y : y + side, x : x + side])
        if is_bright(crop):
            break
    return crop


def _example(
    network: nn.Module, source: str, file: str, truth: NDArray[np.uint8], quality: int, subsampling: str
) -> Example:
    data = encode_jpeg(truth, quality=quality, subsampling=subsampling)
    jpeg, tables, ratios = decode_jpeg(data), standard_tables(quality), RATIOS[subsampling]
    values = enhanced_values(network, jpeg, Compression("JPEG", True, tables, quality, True, ratios))
    enhanced = hold(values, jpeg, coefficients_from_bytes(data), ratios, cell_of_quality(quality))
    return Example(source, file, quality, tables, truth, jpeg, enhanced)


@dataclass(frozen=True)
class Sample:
    """Pixels drawn from the examples of one source: predictors (n, F - 1) and errors (n,) in DN, for both intervals."""

    enhanced: tuple[NDArray[np.float32], NDArray[np.float32]]
    received: tuple[NDArray[np.float32], NDArray[np.float32]]


def draw(found: Sequence[Example]) -> Sample:
    """Draw as many pixels of each example."""
    parts = []
    for number, e in enumerate(found):
        facts = file_facts(e.jpeg, e.tables)
        random = np.random.default_rng(number)
        kept = random.integers(0, e.truth.shape[0] * e.truth.shape[1], _DRAWN)
        kinds = ((e.enhanced, e.jpeg), (e.jpeg, None))
        for pixels, other in kinds:
            known = predictors(pixels, other, facts)
            parts.append((known.reshape(-1, known.shape[-1])[kept], mean_difference(pixels, e.truth).ravel()[kept]))
    first, second = ([np.concatenate(x) for x in zip(*parts[start::2], strict=True)] for start in (0, 1))
    return Sample((first[0], first[1]), (second[0], second[1]))


def fit(samples: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> Rule:
    """A rule from predictors and errors of several sources, each of which counts the same.

    The scale is fitted by least squares to the logarithm of the error. The factor of a group is half way between the
    90 % quantile over all sources and that of the source that needs the widest interval: a new camera is like none of
    those that were measured, and experience is that the mean of them covers too little.
    """
    known = np.concatenate([np.insert(x, 0, 1, axis=1) for x, _ in samples]).astype(np.float64)
    errors = np.concatenate([e for _, e in samples]).astype(np.float64)
    of = np.repeat(np.arange(len(samples)), [len(e) for _, e in samples])
    share = 1 / np.bincount(of)[of]
    root = np.sqrt(share)
    weights = np.linalg.lstsq(known * root[:, None], np.log(errors + 0.5) * root, rcond=None)[0]
    scale = np.exp(known @ weights)
    edges = np.quantile(scale, np.linspace(0, 1, GROUPS + 1)[1:-1])
    group, ratio = np.digitize(scale, edges), errors / scale
    # A group that is empty, as where images are all alike, takes the factor of all.
    members = [(group == g) if (group == g).any() else (group >= 0) for g in range(GROUPS)]
    factors = [_factor(ratio[m], share[m], of[m]) for m in members]
    return Rule(weights, edges, np.array(factors))


def _factor(ratio: NDArray[np.float64], share: NDArray[np.float64], of: NDArray[np.int64]) -> float:
    order = np.argsort(ratio)
    reached = np.cumsum(share[order]) / share.sum()
    pooled = float(ratio[order][min(int(np.searchsorted(reached, TARGET)), len(ratio) - 1)])
    enough = [s for s in np.unique(of) if (of == s).sum() >= 200]
    return 0.5 * (pooled + max([pooled, *(float(np.quantile(ratio[of == s], TARGET)) for s in enough)]))


def coverage(rule: Rule, sample: tuple[NDArray[np.float32], NDArray[np.float32]]) -> tuple[float, float]:
    """Share of pixels whose error lies within the interval, and the mean half width in DN."""
    widths = rule.half_widths(sample[0])
    return float((sample[1] <= widths).mean()), float(widths.mean())


def left_out(samples: dict[str, Sample]) -> dict[str, dict[str, float]]:
    """Coverage of each source by the rule of all others, which never saw it."""
    table = {}
    for name, sample in samples.items():
        rule = fit([other.enhanced for key, other in samples.items() if key != name])
        share, width = coverage(rule, sample.enhanced)
        table[name] = {"coverage": round(share, 3), "half_width": round(width, 2)}
    return table


def calibration_card(model: str, weights_sha256: str, samples: dict[str, Sample]) -> dict[str, Any]:
    """The document that comes with the weights."""

    def numbers(rule: Rule) -> dict[str, list[float]]:
        return {field: [round(float(n), 5) for n in getattr(rule, field)] for field in ("weights", "edges", "factors")}

    return {
        "model": model,
        "weights_sha256": weights_sha256,
        "target": TARGET,
        "about": "half width in DN of the interval that the residual-to-raw (mean over channels) is to lie within; "
        "'received' is the same for the JPEG's own pixels; see docs/evidence.md",
        "enhanced": numbers(fit([s.enhanced for s in samples.values()])),
        "received": numbers(fit([s.received for s in samples.values()])),
        "left_out": left_out(samples),
    }


def card_text(card: dict[str, Any]) -> str:
    """The card as JSON."""
    return json.dumps(card, indent=1) + "\n"
