"""What is done with one damaged input of each kind. A trial returns, or raises what the product raised."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from fuzzing import seeds, stored
from fuzzing.values import WrongError, try_image

OWN = seeds.own()[0]
"""A sound reference of somebody's own."""

ENDINGS = {"jpeg": "jpg", "png": "png", "tiff": "tif", "webp": "webp", "heic": "heic", "bpg": "bpg", "vicar": "VIC"}


def _image(kind: str, data: bytes, folder: Path) -> None:
    path = folder / f"damaged.{ENDINGS[kind]}"
    path.write_bytes(data)
    try_image(path)


def _pds3(kind: str, data: bytes, folder: Path) -> None:
    path = folder / "damaged.IMG"
    path.write_bytes(data)
    try_image(path)


def _pds_pair(kind: str, data: bytes, folder: Path) -> None:
    """A damaged label beside sound samples."""
    label = folder / ("product.LBL" if kind == "pds3-detached" else "product.xml")
    samples = folder / "product.IMG"
    label.write_bytes(data)
    samples.write_bytes(seeds.GRAY.tobytes())
    try:
        try_image(label if len(data) % 2 or kind == "pds4" else samples)
    finally:
        label.unlink()


def _in_folder(folder: Path, name: str, tensors: bytes, card: bytes) -> contextlib.AbstractContextManager[Any]:
    """Weights and card in a folder that is the bundled one while this is open: other trials follow in this process."""
    import marsqe.weights

    (folder / f"{name}.safetensors").write_bytes(tensors)
    (folder / f"{name}.json").write_bytes(card)
    return mock.patch.object(marsqe.weights, "_folder", lambda: folder)


def _safetensors(kind: str, data: bytes, folder: Path) -> None:
    """Damaged weights whose card names just these bytes: what is left when the hash does not save us."""
    from marsqe.weights import load_weights

    facts = {"name": "x", "kind": "swift", "config": {}, "weights_sha256": hashlib.sha256(data).hexdigest()}
    with _in_folder(folder, "x", data, json.dumps(facts).encode()):
        load_weights("x")


def _card(kind: str, data: bytes, folder: Path) -> None:
    """A damaged card beside sound weights."""
    from marsqe.networks import listing, registry

    sound = seeds.ROOT / "resources" / "weights" / "marsqe-swift.safetensors"
    with _in_folder(folder, "marsqe-swift", sound.read_bytes(), data):
        listing.list_models()
        registry.choose("auto", "cpu")
        registry.load("marsqe-swift")


def _dictionary(kind: str, data: bytes, folder: Path) -> None:
    """A damaged list of references beside the sound sheet."""
    from marsqe.matching import dictionary

    home = folder / "dictionary"
    if not home.exists():
        home.mkdir()
        sheet = (seeds.ROOT / "resources" / "dictionary" / "dictionary.png").read_bytes()
        (home / "dictionary.png").write_bytes(sheet)
    (home / "dictionary.json").write_bytes(data)
    with mock.patch.object(dictionary, "files", lambda package: folder):
        dictionary.load_dictionary.__wrapped__()


def _own(kind: str, data: bytes, folder: Path) -> None:
    """A damaged card or picture of somebody's own reference, under the names that the sound one has."""
    from marsqe.matching import own

    home = folder / "references"
    card, _, picture = data.partition(b"\0")
    name = json.loads(OWN.partition(b"\0")[0])["patch_id"]
    with mock.patch.object(own, "own_folder", lambda: home):
        home.mkdir()
        (home / f"{name}.json").write_bytes(card)
        (home / f"{name}.png").write_bytes(picture)
        for reference in own.list_own():
            if reference.entry is None and not reference.problem:
                raise WrongError("a reference that is none, and nothing is said of it")
        own.working_dictionary()


def _session(kind: str, data: bytes, folder: Path) -> None:
    """A damaged session of the workbench."""
    from marsqe.progress import run
    from napari_marsqe.saving.folder import ARRAYS, FACTS
    from napari_marsqe.saving.sessions import open_steps

    facts, _, arrays = data.partition(b"\0")
    (folder / FACTS).write_bytes(facts)
    (folder / ARRAYS).write_bytes(arrays)
    run(open_steps(folder))


def command(arguments: list[str]) -> None:
    """Run the command line; any exit code but those promised, and any exception, is wrong."""
    from marsqe.cli import main

    said, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
        try:
            code: Any = main(arguments)
        except SystemExit as stop:
            code = stop.code
    if code not in (0, 1, 2):
        raise WrongError(f"exit code {code} of {arguments}")
    if code and not told.getvalue().strip():
        raise WrongError(f"exit code {code} without a word, of {arguments}")
    if "Traceback" in told.getvalue():
        raise WrongError(f"a traceback from {arguments}")
    if code == 0 and "--json" in arguments:
        json.loads(said.getvalue(), parse_constant=lambda name: (_ for _ in ()).throw(WrongError(f"{name} in JSON")))


def _command(kind: str, data: bytes, folder: Path) -> None:
    """Arguments and one damaged file, which the word FILE stands for; OUT stands for a folder to write to."""
    head, _, body = data.partition(b"\0")
    path, out = folder / "damaged.jpg", folder / "out"
    path.write_bytes(body)
    here = folder / "a" / "b" / "c"  # relative names, and those that lead upwards, stay in the folder
    here.mkdir(parents=True)
    os.chdir(here)
    words = {"FILE": str(path), "OUT": str(out)}
    try:
        command([words.get(word, word) for word in json.loads(head)])
    finally:
        os.chdir(folder.parent)
    if list(folder.rglob(".marsqe-*")):
        raise WrongError("a half-written file was left")


TRIALS: dict[str, Callable[[str, bytes, Path], None]] = {
    **dict.fromkeys(ENDINGS, _image),
    "pds3": _pds3,
    "pds3-detached": _pds_pair,
    "pds4": _pds_pair,
    "safetensors": _safetensors,
    "card": _card,
    "dictionary": _dictionary,
    "own": _own,
    "record": stored.record,
    "provenance": stored.provenance,
    "settings": stored.settings,
    "ledger": stored.ledger,
    "session": _session,
    "command": _command,
}
"""A trial of every kind of input."""
