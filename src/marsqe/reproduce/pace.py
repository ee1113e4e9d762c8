"""The largest squares with which a reproduction should end within its budget of time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from marsqe.errors import MarsqeError
from marsqe.judgement import brisque, lpips, ms_ssim, niqe, psnr_b_rgb, ssim
from marsqe.progress import Progress, Steps
from marsqe.reproduce import content
from marsqe.reproduce.apply import apply
from marsqe.reproduce.cache import Cache
from marsqe.reproduce.measure import AS_SENT
from marsqe.reproduce.probes import Probe, levels_of
from marsqe.reproduce.settings import MAIN_QUALITY, Settings
from marsqe.reproduce.systems import System
from marsqe.reproduce.work import threads_of
from marsqe.segmentation import segment
from marsqe.terrain import Terrain

SIDES: Final = (1536, 1280, 1024, 896, 768, 640, 512, 448, 384, 320, 256)
"""Squares to choose from, besides whole images."""
_TRIAL: Final = 256
_SHARE: Final = 0.7
"""Of the budget that may be filled: small trials promise more than long work on a shared machine keeps."""
_FINDINGS: Final = 120.0
"""Seconds for what is done once: similarity, charts, sheets, the page."""
_MEGA: Final = 1e6


@dataclass(frozen=True)
class Pace:
    """Seconds that one process needs for a megapixel.

    Attributes
    ----------
    codecs : mapping of str to float
        Compressing once.
    terrain : float
        Recognising terrain once.
    judging : mapping of bool to float
        Every metric of one result, with a truth (True) or without.
    systems : mapping of str to float
        Enhancing, by the system's name.
    """

    codecs: Mapping[str, float]
    terrain: float
    judging: Mapping[bool, float]
    systems: Mapping[str, float]

    def seconds(
        self, probes: Sequence[Probe], systems: Sequence[System], settings: Settings, side: int | None
    ) -> float:
        """Seconds of one process for all pictures, of which the central square of a side, or all of it, is used."""
        able = [s for s in systems if s.reason is None]
        looks = any(s.uses_references for s in able)
        total = 0.0
        for probe in probes:
            height, width = (n if side is None else min(n, side) for n in probe.shape)
            megapixels = height * width / _MEGA
            for codec, level in levels_of(probe, settings):
                wanted = [s for s in able if s.is_wanted(codec, level)]
                each = sum(self.systems.get(s.name, 0.0) + self.judging[probe.truth] for s in wanted)
                total += megapixels * (each + self.codecs.get(codec, 0.0) + looks * self.terrain)
            total += megapixels * self.terrain  # of the truth
        return total


def fitted_steps(settings: Settings, probes: Sequence[Probe], systems: Sequence[System]) -> Steps[Settings]:
    """Settings with the largest square that should end within ``settings.budget``; as they are where there is none.

    The choice is kept in the cache, so that the same command goes on with the same squares.
    """
    if settings.budget is None or settings.crop is not None:
        return settings
    cache = Cache(settings.out / "cache")
    key = cache.key(
        fitted=[[p.sha256, levels_of(p, settings)] for p in probes], budget=settings.budget, device=settings.device
    )
    known = cache.get(key)
    if known is None:
        pace = yield from _pace_steps(settings, probes, systems)
        known = {"side": _largest(pace, settings, probes, systems)}
        cache.put(key, known)
    side: int | None = known["side"]
    yield Progress("Taking whole images" if side is None else f"Taking central squares of {side} pixels", 1, 1)
    return replace(settings, side=side, fitted=side is not None)


def _largest(pace: Pace, settings: Settings, probes: Sequence[Probe], systems: Sequence[System]) -> int | None:
    assert settings.budget is not None
    room = max(0.0, settings.budget * _SHARE - _FINDINGS) * settings.jobs
    for side in (None, *SIDES):
        if pace.seconds(probes, systems, settings, side) <= room:
            return side
    return SIDES[-1]


def _pace_steps(settings: Settings, probes: Sequence[Probe], systems: Sequence[System]) -> Steps[Pace]:
    """Try everything on one small square of one of the pictures, with the threads that a process will have."""
    import torch

    probe = next((p for p in probes if p.truth), probes[0])
    truth = content.truth_pixels(content.load(probe.picture.path), _TRIAL)
    image, _ = content.compress(truth, "JPEG", MAIN_QUALITY)
    megapixels = truth.shape[0] * truth.shape[1] / _MEGA
    threads = torch.get_num_threads()
    able = [s for s in systems if s.reason is None and s.only is None]
    yield Progress("Estimating the time", 0, len(able) + 1)
    torch.set_num_threads(threads_of(settings.jobs))
    try:
        terrain = Terrain(np.zeros(image.shape, np.uint8))
        codecs = {c: _timed(content.compress, truth, c, n) / megapixels for c, n in _codecs(probes, settings).items()}
        seen = _timed(segment, image, settings.device) / megapixels
        judging = {
            True: sum(_timed(metric, image.pixels, truth) for metric in (ssim, ms_ssim, lpips, psnr_b_rgb))
            / megapixels,
            False: sum(_timed(metric, image.pixels) for metric in (brisque, niqe)) / megapixels,
        }
        found: dict[str, float] = {}
        for done, system in enumerate(able, 1):
            yield Progress("Estimating the time", done, len(able) + 1)
            try:
                found[system.name] = _timed(apply, system, image, terrain, settings.device) / megapixels
            except MarsqeError:
                continue  # it will say why when it is measured
        variants = {s.name: found.get(s.base, 0.0) for s in systems if s.only is not None}
        return Pace(codecs, seen, judging, found | variants)
    finally:
        torch.set_num_threads(threads)


def _codecs(probes: Sequence[Probe], settings: Settings) -> dict[str, int]:
    """Each codec that is used, with the middle one of its levels."""
    used = sorted({level for p in probes for level in levels_of(p, settings) if level[0] != AS_SENT})
    levels = {codec: [n for other, n in used if other == codec] for codec, _ in used}
    return {codec: of_codec[len(of_codec) // 2] for codec, of_codec in levels.items()}


def _timed(work: Callable[..., object], *arguments: object) -> float:
    """Seconds of the second of two calls: the first also loads what all later ones find ready."""
    work(*arguments)
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started
