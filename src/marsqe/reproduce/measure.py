"""Measure one image at one compression with every system, or take from the cache what was measured before."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import marsqe
from marsqe.errors import MarsqeError
from marsqe.image import MarsImage, Pixels
from marsqe.judgement import bits_per_pixel, brisque, lpips_to, ms_ssim, niqe, psnr, psnr_b, psnr_b_rgb, ssim
from marsqe.judgement.residual import delta_psnr_classes, squared_error
from marsqe.reproduce import content
from marsqe.reproduce.apply import apply
from marsqe.reproduce.cache import Cache
from marsqe.reproduce.folders import Picture, read_labels
from marsqe.reproduce.systems import ANCHOR, System
from marsqe.segmentation import segment
from marsqe.segmentation.prepare import VIEWS
from marsqe.terrain import Terrain
from marsqe.weights import is_bundled, read_card

FIDELITY = ("psnr", "psnr_b", "psnr_b_rgb", "ssim", "ms_ssim", "lpips")
AS_SENT = "as sent"
"""Codec of images without truth, which are taken as they came."""


@dataclass(frozen=True)
class Task:
    """One image at one codec and level (``AS_SENT`` and 0 without truth), for all systems."""

    picture: Picture
    sha256: str
    codec: str
    level: int
    systems: tuple[System, ...]
    crop: int | None
    device: str
    cache: Path


@dataclass
class Result:
    """Rows of a task, one for each system, and what failed."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    fresh: int = 0


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of everything that may move a number."""
    found = {"napari-marsqe": marsqe.__version__, "python": platform.python_version()}
    for name in ("torch", "numpy", "scipy", "scikit-image", "pillow", "jpeglib", "av", "bjontegaard", "matplotlib"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def measure(task: Task) -> Result:
    """Do a task. What a system cannot do is told in ``failures`` and stops no other."""
    return _Measurement(task).run()


class _Measurement:
    def __init__(self, task: Task) -> None:
        self.task, self.cache = task, Cache(task.cache)

    def run(self) -> Result:
        result = Result()
        for system in self.task.systems:
            if system.reason or not system.is_wanted(self.task.codec, self.task.level):
                continue
            key = self.cache.key(**self._facts(system))
            row = self.cache.get(key)
            if row is None:
                try:
                    row = self._measured(system)
                except MarsqeError as error:
                    where = f"{self.task.picture.path.name}, {self.task.codec} {self.task.level}, {system.title}"
                    result.failures.append({"input": where, "error": str(error)})
                    continue
                self.cache.put(key, row)
                result.fresh += 1
            # Names may change while pixels stay: they are no part of what is stored.
            names = {"image": self.task.picture.path.name, "split": self.task.picture.split, "system": system.name}
            result.rows.append(row | names | {"sha256": self.task.sha256})
        return result

    def _facts(self, system: System) -> dict[str, Any]:
        known = {"weights": system.weights_sha256, "base": system.base, "projected": system.projected}
        if system.uses_references:
            from marsqe.matching import load_dictionary

            known |= {"only": system.only, "dictionary": load_dictionary().sha256}
        labels = self.task.picture.labels
        codecs = {name: versions()[name] for name in ("pillow", "av", "napari-marsqe", "torch")}
        return {
            "image": self.task.sha256,
            "crop": self.task.crop,
            "codec": [self.task.codec, self.task.level],
            "system": known,
            "terrain": terrain_identity(),
            "labels": None if labels is None else digest(labels),
            "device": self.task.device,
            "versions": codecs,
        }

    @cached_property
    def raw(self) -> MarsImage:
        return content.load(self.task.picture.path)

    @cached_property
    def truth(self) -> Pixels:
        return content.truth_pixels(self.raw, self.task.crop)

    @cached_property
    def lpips(self) -> Callable[[Pixels], float]:
        return lpips_to(self.truth)

    @cached_property
    def compressed(self) -> tuple[MarsImage, float]:
        if self.task.codec == AS_SENT:
            image = content.as_sent(self.raw, self.task.crop)
            return image, image.compression.bits_per_pixel
        image, size = content.compress(self.truth, self.task.codec, self.task.level)
        return image, bits_per_pixel(size, self.truth.shape)

    @cached_property
    def before(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        return squared_error(self.compressed[0].pixels, self.truth)

    @cached_property
    def terrain(self) -> Terrain:
        """Of the truth, by which gains are sorted: labels of the folder where there are any, else the network's."""
        task = self.task
        given = read_labels(task.picture, self.raw.shape)
        if given is not None:
            return Terrain(np.ascontiguousarray(content.square(given, task.crop)))
        key = self.cache.key(image=task.sha256, crop=task.crop, terrain=terrain_identity())
        return self._segmented(key, MarsImage.from_array(self.truth))

    @cached_property
    def seen(self) -> Terrain:
        """Of the compressed image, which is all that a system may know."""
        task = self.task
        key = self.cache.key(
            image=task.sha256, crop=task.crop, codec=[task.codec, task.level], terrain=terrain_identity()
        )
        return self._segmented(key, self.compressed[0])

    def _segmented(self, key: str, image: MarsImage) -> Terrain:
        labels = self.cache.get_labels(key)
        if labels is None or labels.shape != image.shape:
            labels = segment(image, self.task.device).labels
            self.cache.put_labels(key, labels)
        return Terrain(labels)

    def _measured(self, system: System) -> dict[str, Any]:
        image, rate = self.compressed
        # Systems without references do not look at it; that of the truth is at hand or soon will be.
        terrain = self.seen if system.uses_references else Terrain(np.zeros(image.shape, np.uint8))
        started = time.perf_counter()
        pixels = apply(system, image, terrain, self.task.device)
        row: dict[str, Any] = {
            "codec": self.task.codec,
            "level": self.task.level,
            "bpp": rate,
            "seconds": time.perf_counter() - started,
            "height": image.shape[0],
            "width": image.shape[1],
        }
        if self.task.codec == AS_SENT:
            return row | {"brisque": brisque(pixels), "niqe": niqe(pixels)}
        for name, metric in zip(FIDELITY[:-1], (psnr, psnr_b, psnr_b_rgb, ssim, ms_ssim), strict=True):
            row[name] = metric(pixels, self.truth)
        row["lpips"] = self.lpips(pixels)
        if system.name != ANCHOR:
            row["classes"] = self._classes(pixels)
        return row

    def _classes(self, pixels: Pixels) -> dict[str, float]:
        if terrain_identity() is None and self.task.picture.labels is None:
            return {}
        return delta_psnr_classes(self.before, squared_error(pixels, self.truth), self.terrain)


def terrain_identity() -> str | None:
    """What decides labels: the terrain network's weights and the sizes it sees; None where none are bundled."""
    return f"{read_card('marsqe-terrain')['weights_sha256']} {VIEWS}" if is_bundled("marsqe-terrain") else None


def terrain_of(picture: Picture, sha256: str, crop: int | None, device: str, cache: Path) -> tuple[Pixels, Terrain]:
    """Truth pixels of a picture and the terrain of them, from the cache where it is known."""
    task = Task(picture, sha256, "JPEG", 0, (), crop, device, cache)
    measurement = _Measurement(task)
    return measurement.truth, measurement.terrain


def described(system: System) -> dict[str, Any]:
    """Facts of a system, JSON-ready, without paths."""
    return asdict(replace(system, file=None)) | {"weights_from": "file" if system.file else "package"}
