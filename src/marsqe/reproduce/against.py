"""Ours against the best rival: image by image, with an interval, in every set and at every quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from marsqe.reproduce.page import Section, Table
from marsqe.reproduce.results import SCALE, Measured
from marsqe.reproduce.statistics import estimate

_ALL: Final = "all sets"


def compared(measured: Measured) -> Section:
    """Each of our systems minus the rival with the highest mean PSNR there, in dB of PSNR."""
    section = Section("Ours against the best rival")
    own = [s for s in measured.main() if s.kind == "own" and s.reason is None]
    rivals = [s for s in measured.main() if s.kind in ("rival", "program") and s.reason is None]
    if not own or not rivals:
        section.missing.append(("the comparison", "it takes weights of one of ours and of a rival"))
        return section
    section.notes.append(
        "PSNR of ours minus that of the best rival, paired image by image, mean with a bootstrap 95 % interval. The "
        "best rival is that of the highest mean PSNR in the set at that quality: chosen after the fact, in its favour."
    )
    for system in own:
        rows = []
        for split, codec, level in _places(measured):
            ours = _psnr(measured, system.name, split, codec, level)
            best = _best({r.title: _psnr(measured, r.name, split, codec, level) for r in rivals}, ours)
            if best is not None:
                title, theirs = best
                change = [ours[key] - theirs[key] for key in ours if key in theirs]
                won = sum(value > 0 for value in change)
                shown = estimate(change).shown(3, sign=True)
                rows.append([split, f"{codec} {SCALE[codec]} {level}", title, shown, f"{won} of {len(change)}"])
        head = ["set", "quality", "best rival", "ours minus rival (dB)", "images won"]
        if rows:
            section.tables.append(Table(f"against-{system.name.replace(':', '-')}", system.title, head, rows))
    return section


def _places(measured: Measured) -> Iterator[tuple[str, str, int]]:
    splits = [_ALL, *measured.splits] if len(measured.splits) > 1 else list(measured.splits)
    yield from ((s, codec, level) for codec in measured.codecs() for level in measured.levels(codec) for s in splits)


def _psnr(measured: Measured, system: str, split: str, codec: str, level: int) -> dict[str, float]:
    """PSNR by image, of one set or all."""
    rows = (r[0] for r in measured.of(system, codec, level).values())
    return {r["sha256"]: r["psnr"] for r in rows if split in (_ALL, r["split"])}


def _best(rivals: Mapping[str, dict[str, float]], ours: dict[str, float]) -> tuple[str, dict[str, float]] | None:
    """The rival of the highest mean over the images that all have in common; None where there is none."""
    shared = set(ours).intersection(*(r for r in rivals.values() if r))
    means = {name: sum(r[key] for key in shared) / len(shared) for name, r in rivals.items() if r and shared}
    name = max(means, key=means.__getitem__, default=None)
    return None if name is None else (name, rivals[name])
