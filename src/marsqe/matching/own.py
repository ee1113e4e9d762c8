"""The user's own references: read from their folder, checked, and joined with the bundled dictionary."""

from __future__ import annotations

import hashlib
import io
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.errors import ReadError, SettingError, in_one_line
from marsqe.matching.dictionary import Dictionary, Entry, load_dictionary
from marsqe.results import TILE, Matches
from marsqe.terrain import CLASSES
from marsqe.userdata import data_folder, read_bytes, read_json

MOST_OWN: Final = 64
"""Own references of one class at most: each is compressed anew for every kind of file."""

_MOST_PNG: Final = 2**18
_OFF: Final = "switched-off"
_MOST_KNOWN: Final = 8
_KNOWN: dict[str, Dictionary] = {}
"""Dictionaries used lately, by their hash: older matches still count in them."""


@dataclass(frozen=True)
class OwnEntry(Entry):
    """Origin of a reference that the user added.

    Attributes
    ----------
    patch_id : str
        "own-" and the first 12 digits of the hash of its class and pixels.
    pixels_sha256, source_sha256 : str
        Of the 128x128x3 pixels, and of the file (or of the pixels that came from none) that they were cut from.
    compression : str
        What the source said of its compression.
    lossy : bool
        Whether the source had lost information: then it was added only because that was asked for.
    colour : bool
    added : str
        ISO 8601, UTC.
    product : dict
        What is known of the source as a mission's product.
    note : str
    """

    patch_id: str = ""
    pixels_sha256: str = ""
    source_sha256: str = ""
    compression: str = ""
    lossy: bool = False
    colour: bool = True
    added: str = ""
    product: dict[str, Any] = field(default_factory=dict, hash=False)
    note: str = ""

    def name(self, index: int) -> str:
        """Its own name, wherever it stands."""
        return self.patch_id

    def record(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class OwnReference:
    """One of the user's references as it lies in the folder: readable, or damaged and why."""

    patch_id: str
    entry: OwnEntry | None
    pixels: NDArray[np.uint8] | None = None
    problem: str = ""


def own_folder() -> Path:
    """Where the user's references are kept: ``ID.png`` and ``ID.json`` each."""
    return data_folder() / "references"


def own_enabled() -> bool:
    """Whether the user's references are used in matching; true unless they were switched off."""
    return not (own_folder() / _OFF).exists()


def off_mark() -> Path:
    """The empty file that switches the user's references off while it exists."""
    return own_folder() / _OFF


def identity(terrain: str, pixels: NDArray[np.uint8]) -> str:
    """What a patch of the user's is called: the same pixels of the same class have the same name."""
    return f"own-{hashlib.sha256(terrain.encode() + pixels.tobytes()).hexdigest()[:12]}"


def list_own() -> list[OwnReference]:
    """The user's references, the oldest first; damaged ones come last, with what is wrong."""
    found = []
    for card in sorted(own_folder().glob("own-*.json")):
        try:
            found.append(_read(card))
        except ReadError as error:
            found.append(OwnReference(card.stem, None, problem=str(error)))
    return sorted(found, key=lambda r: (r.entry is None, r.entry.added if r.entry else "", r.patch_id))


def working_dictionary() -> Dictionary:
    """The dictionary that is matched with: the bundled one and, unless switched off, the user's own references.

    Its hash covers both. Without references of one's own it is the bundled one.

    Raises
    ------
    ReadError
        If one of the references is damaged.
    """
    folder = own_folder()
    cards = sorted(folder.glob("own-*.*")) if own_enabled() else []
    return _joined(folder, tuple((p.name, p.stat().st_mtime_ns, p.stat().st_size) for p in cards))


@lru_cache(maxsize=2)
def _joined(folder: Path, state: tuple[tuple[str, int, int], ...]) -> Dictionary:
    """Kept while nothing in the folder changes, for the compressed twins are kept with it."""
    bundled = load_dictionary()
    own = list_own() if state else []
    damaged = [reference for reference in own if reference.entry is None]
    if damaged:
        first = damaged[0]
        raise ReadError(
            f"your reference {first.patch_id} is damaged ({first.problem}); remove it with "
            f"`marsqe references remove {first.patch_id}`, or switch your references off"
        )
    joined = with_own(bundled, own)
    while len(_KNOWN) >= _MOST_KNOWN:
        _KNOWN.pop(next(iter(_KNOWN)))
    _KNOWN[joined.sha256] = joined
    return joined


def dictionary_of(matches: Matches) -> Dictionary:
    """The dictionary that matches count in, though references may have been added or removed since.

    Raises
    ------
    SettingError
        If it is neither the bundled one nor one that was used here lately.
    """
    if not matches.dictionary_sha256:
        return working_dictionary()
    known = {d.sha256: d for d in (load_dictionary(), working_dictionary())} | _KNOWN
    if matches.dictionary_sha256 not in known:
        raise SettingError("the references that these matches name are not at hand any more; match the image again")
    return known[matches.dictionary_sha256]


def with_own(dictionary: Dictionary, own: list[OwnReference]) -> Dictionary:
    """A dictionary with more references behind its own in each class."""
    if not own:
        return dictionary
    patches, entries = dict(dictionary.patches), dict(dictionary.entries)
    digest = hashlib.sha256(dictionary.sha256.encode())
    for label, name in enumerate(CLASSES, start=1):
        more = [(r.entry, r.pixels) for r in own if r.entry is not None and r.entry.terrain == name]
        if more:
            patches[label] = np.concatenate([patches[label], np.stack([p for _, p in more if p is not None])])
            entries[label] = (*entries[label], *(e for e, _ in more))
        for entry, _ in more:
            digest.update(f"{name} {entry.pixels_sha256}".encode())
    return Dictionary(patches, entries, digest.hexdigest())


def _read(card: Path) -> OwnReference:
    entry = _entry(card)
    content = read_bytes(card.with_suffix(".png"), _MOST_PNG)
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.size != (TILE, TILE) or image.mode != "RGB":
                raise ReadError(f"its picture is {image.size[0]} x {image.size[1]} {image.mode}, not 128 x 128 RGB")
            pixels = np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise ReadError(f"its picture cannot be read ({error})") from error
    if hashlib.sha256(pixels.tobytes()).hexdigest() != entry.pixels_sha256:
        raise ReadError("its picture is not the one that its card names")
    if not entry.patch_id == card.stem == identity(entry.terrain, pixels):
        raise ReadError("its name is not that of its class and picture")
    return OwnReference(entry.patch_id, entry, pixels)


def _entry(card: Path) -> OwnEntry:
    found = read_json(card)
    kinds = {f.name: type(getattr(_EXAMPLE, f.name)) for f in fields(OwnEntry)}
    wrong = sorted(set(found) ^ set(kinds)) or sorted(n for n, kind in kinds.items() if type(found[n]) is not kind)
    if wrong:
        raise ReadError(f"its card lacks or has otherwise: {in_one_line(', '.join(wrong))}")
    if found["terrain"] not in CLASSES:
        raise ReadError(f"its class {found['terrain']!r} is none of {', '.join(CLASSES)}")
    return OwnEntry(**found)


_EXAMPLE: Final = OwnEntry(terrain="", source="", x=0, y=0, credit="")
