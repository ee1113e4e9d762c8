"""The systems that are compared, what each needs, and why one cannot be computed.

A system is written ``NAME[:projected|:alone][@CLASS|@random|@none]``. ``NAME`` is one of our presets, a rival,
``jpegqs`` (a program that smooths JPEG files, where it is installed) or ``compressed`` (nothing is done). "projected"
keeps every DCT coefficient in its quantization cell, as the product does, "alone" does not; our presets are projected
and rivals alone unless told otherwise. ``@CLASS`` makes a system with references use those of one terrain class only
(Section V-C), ``@random`` any of the dictionary without looking, ``@none`` leaves its reference branch out (Table V).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from marsqe.errors import SettingError, WeightsError
from marsqe.networks.registry import PRESETS, Preset, find
from marsqe.networks.rivals import RIVALS
from marsqe.reproduce.settings import MAIN_QUALITY
from marsqe.terrain import CLASSES
from marsqe.weights import is_bundled, read_card

ANCHOR: Final = "compressed"
JPEGQS: Final = "jpegqs"
NO_WEIGHTS: Final = "no weights"

RANDOM: Final = "random"
WITHOUT: Final = "none"

_TITLES: Final = {
    "marsqe": "MarsQE",
    "marsqe-lite": "MarsQE-lite",
    "marsqe-swift": "MarsQE-swift (ours)",
    "marsqe-swift-plus": "MarsQE-swift-plus (ours)",
    "marsqe-swift-ref": "MarsQE-swift-ref (ours)",
}
_VARIANTS: Final = {RANDOM: "random references", WITHOUT: "without references", **{c: f"{c} only" for c in CLASSES}}
_NO_TRUNK: Final = "it was trained with its references in every layer; only marsqe-swift-ref can do without"


@dataclass(frozen=True)
class System:
    """One system to compare.

    Attributes
    ----------
    name : str
        As it was asked for.
    base : str
        The preset, rival or program.
    kind : {"anchor", "own", "rival", "program"}
    title : str
    projected : bool
        Whether coefficients are kept in their cells (JPEG only).
    only : str or None
        Terrain class whose references alone are used, ``RANDOM`` or ``WITHOUT``; None for those that are matched.
    file : Path or None
        Weights given as a file; None for bundled ones, or where none are needed.
    weights_sha256 : str or None
    parameters, macs_1152x1600 : int or None
    reason : str or None
        Why it cannot be computed; None where it can.
    """

    name: str
    base: str
    kind: str
    title: str
    projected: bool = False
    only: str | None = None
    file: Path | None = None
    weights_sha256: str | None = None
    parameters: int | None = None
    macs_1152x1600: int | None = None
    reason: str | None = None

    @property
    def uses_references(self) -> bool:
        """Whether it needs terrain and references."""
        return self.kind == "own" and PRESETS[self.base].uses_references

    def is_wanted(self, codec: str, level: int) -> bool:
        """Whether it is measured there: other references are compared at one quality, as in the paper."""
        return not self.can_take(codec) and (self.only is None or (codec, level) == ("JPEG", MAIN_QUALITY))

    def can_take(self, codec: str) -> str | None:
        """Why it cannot enhance images of this codec; None where it can."""
        return "it reads JPEG files only" if self.kind == "program" and codec != "JPEG" else None


def resolve(names: tuple[str, ...], weights: Mapping[str, Path]) -> list[System]:
    """Every system asked for, the compressed image first; those that cannot be computed carry the reason.

    Parameters
    ----------
    names : tuple of str
        Empty for all: presets, rivals, ``jpegqs``, and each system with references and weights once for each class
        and each ablation.
    weights : mapping of str to Path
        Weight files by ``NAME``.

    Raises
    ------
    SettingError
        If a name is none, or a file of weights is for none that is computed.
    WeightsError
        If a file of weights is missing.
    """
    for name, path in weights.items():
        if name not in PRESETS and name not in RIVALS:
            raise SettingError(f"weights for {name!r}: choose one of {', '.join([*PRESETS, *RIVALS])}")
        if not path.is_file():
            raise WeightsError(f"there is no file {path}; give --weights {name}=FILE as training wrote it")
    wanted = [n for n in names if n != ANCHOR] or [*RIVALS, JPEGQS, *PRESETS]
    found = [System(ANCHOR, ANCHOR, "anchor", "compressed (no enhancement)"), *(_one(n, weights) for n in wanted)]
    if not names:
        full = [s for s in found if s.uses_references and s.reason is None]
        found += [_one(f"{s.name}@{v}", weights) for s in full for v in _VARIANTS]
    return found


def _one(name: str, weights: Mapping[str, Path]) -> System:
    left, _, only = name.partition("@")
    base, _, mode = left.partition(":")
    if mode not in ("", "projected", "alone") or (only and only not in _VARIANTS):
        raise SettingError(f"{name!r}: write NAME, NAME:projected or NAME:alone, and @ with {', '.join(_VARIANTS)}")
    if base == JPEGQS:
        found = shutil.which(JPEGQS)
        reason = None if found else "the program jpegqs is not installed"
        digest = hashlib.sha256(Path(found).read_bytes()).hexdigest() if found else None
        return System(name, base, "program", "JPEG Quant Smooth (jpegqs)", weights_sha256=digest, reason=reason)
    if base not in PRESETS and base not in RIVALS:
        raise SettingError(f"there is no system {name!r}; choose of: {', '.join([*PRESETS, *RIVALS, JPEGQS])}")
    own = base in PRESETS
    projected = mode == "projected" or (own and mode != "alone")
    title = _TITLES[base] if own else RIVALS[base].title
    title += {"alone": ", network alone", "projected": ", projected", "": ""}[mode] + (
        f", {_VARIANTS[only]}" if only else ""
    )
    system = System(name, base, "own" if own else "rival", title, projected, only or None)
    if only and not system.uses_references:
        raise SettingError(f"{base} uses no references: leave out @{only}")
    if only == WITHOUT and PRESETS[base].kind != "swift-ref":
        return replace(system, reason=_NO_TRUNK)
    return _with_weights(system, weights.get(base))


def _with_weights(system: System, file: Path | None) -> System:
    if system.kind == "own":
        preset = preset_for(system.base, file)
        parameters, macs = preset.parameters, preset.macs_1152x1600
    else:
        rival = RIVALS[system.base]
        parameters, macs = rival.parameters, rival.macs_1152x1600
        if card_beside(file).get("config", {}).get("residual"):
            system = replace(system, title=f"{system.title}, residual")
    system = replace(system, parameters=parameters, macs_1152x1600=macs)
    if file is not None:
        return replace(system, file=file.resolve(), weights_sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    if system.kind == "own" and is_bundled(system.base):
        return replace(system, weights_sha256=read_card(system.base)["weights_sha256"])
    return replace(system, reason=f"{NO_WEIGHTS}: train it and give --weights {system.base}=FILE")


def preset_for(base: str, file: Path | None) -> Preset:
    """The preset as its weights need it: with the configuration of the card beside the file, if there is one."""
    preset, facts = find(base), card_beside(file)
    try:
        costs = {k: int(facts[k]) for k in ("parameters", "macs_1152x1600", "macs_cached") if k in facts}
    except (ValueError, TypeError) as error:
        raise WeightsError(f"the card beside {file} holds no numbers ({error}); repair or remove it") from error
    return replace(preset, config=facts.get("config", preset.config), **costs)  # type: ignore[arg-type]


def card_beside(file: Path | None) -> dict[str, Any]:
    """What the card (JSON) beside a file of weights says; empty where there is none."""
    card = None if file is None else file.with_suffix(".json")
    if card is None or not card.is_file():
        return {}
    try:
        facts = json.loads(card.read_text(encoding="utf-8"))
        if isinstance(facts, dict):
            return facts
        problem = "no JSON object"
    except ValueError as error:
        problem = str(error)
    raise WeightsError(f"the card {card} cannot be read ({problem}); repair or remove it")
