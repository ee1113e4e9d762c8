"""Which pictures can be measured, and at which compressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from marsqe.errors import MarsqeError
from marsqe.progress import Progress, Steps
from marsqe.reproduce import content
from marsqe.reproduce.folders import Picture
from marsqe.reproduce.measure import AS_SENT, digest
from marsqe.reproduce.settings import Settings


@dataclass(frozen=True)
class Probe:
    """A picture that can be opened: its hash, whether it serves as truth, its size, and the rover where it is known."""

    picture: Picture
    sha256: str
    truth: bool
    shape: tuple[int, int]
    mission: str | None


def probe_steps(pictures: Sequence[Picture], failures: list[dict[str, str]]) -> Steps[list[Probe]]:
    """Open every picture once; what cannot be opened, or is there twice, is added to ``failures``."""
    probes: dict[str, Probe] = {}
    for done, picture in enumerate(pictures):
        yield Progress("Opening", done, len(pictures))
        try:
            image = content.load(picture.path)
            sha = digest(picture.path)
        except (MarsqeError, OSError) as error:
            failures.append({"input": str(picture.path), "error": str(error)})
            continue
        if sha in probes:
            twin = probes[sha].picture.path
            failures.append({"input": str(picture.path), "error": f"the same file as {twin}; it counts once"})
            continue
        truth = content.is_truth(picture, image.compression)
        probes[sha] = Probe(picture, sha, truth, image.shape, image.product.mission)
    return list(probes.values())


def levels_of(probe: Probe, settings: Settings) -> list[tuple[str, int]]:
    """Every (codec, level) to measure a picture at; without a truth it is taken as it came."""
    if not probe.truth:
        return [(AS_SENT, 0)]
    return [level for level in settings.levels if level[0] != "HEVC" or find_spec("av") is not None]
