"""A workbench's cases with all their layers, as a folder and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from marsqe.errors import ExportError, MarsqeError, ReadError, in_one_line
from marsqe.image import MarsImage
from marsqe.progress import Progress, Steps
from napari_marsqe import layers as conventions
from napari_marsqe.layers import LayerData
from napari_marsqe.saving.folder import read_folder, write_folder
from napari_marsqe.saving.layers import pack_layer, unpack_layer
from napari_marsqe.saving.packing import Packer, Unpacker
from napari_marsqe.session import Case, Session

SOURCE, TRUTH = "source", "truth"
KEPT: Final = "kept"
"""Among what we know of a layer: the cases that it belongs to, and as what, until a workbench has taken it up."""
_RESULTS: Final = ("understanding", "enhancement", "judgement", "exported", "selected")


@dataclass(eq=False)
class KeptCase:
    """A case that comes from a folder, while its layers arrive one after another."""

    image: MarsImage
    stem: str
    results: dict[str, Any]
    current: bool
    put_away: tuple[str, ...]
    layers: dict[str, Any] = field(default_factory=dict)

    def arrived(self, session: Session, use: str, layer: Any) -> None:
        """Take a layer up; the case exists from the moment that its source is there."""
        self.layers[use] = layer
        source = self.layers.get(SOURCE)
        if source is None:
            return
        case = next((c for c in session.cases if c.source is source), None)
        if case is None:
            case = Case(self.image, source, self.stem, **self.results)
            session.cases.append(case)
        for role, shown in self.layers.items():
            if role == TRUTH:
                case.truth = shown
            elif role != SOURCE:
                case.layers[role] = shown
            if role in self.put_away and shown not in case.put_away:
                case.put_away.append(shown)
        if self.current:
            session.resume(case)


def save_steps(session: Session, folder: Path) -> Callable[[], Steps[Path]]:
    """What writes a session. The state is that of the moment of this call; the writing is done in a thread.

    Raises
    ------
    ExportError
        If there is nothing to save.
    """
    if not session.cases:
        raise ExportError("there is no image in the workbench, so there is no session to save; open one first")
    packer = Packer()
    uses: dict[int, list[tuple[int, str]]] = {}
    cases = [_pack_case(packer, session, number, uses) for number in range(len(session.cases))]
    records = [
        pack_layer(packer, layer) | {"uses": uses[id(layer)]} for layer in session.viewer.layers if id(layer) in uses
    ]
    camera = session.viewer.scene.camera
    view = {"centre": [float(c) for c in camera.center], "zoom": float(camera.zoom)}
    facts = {"cases": cases, "layers": records, "view": view}
    return lambda: write_folder(folder, facts, packer.arrays)


def open_steps(folder: Path) -> Steps[tuple[list[LayerData], dict[str, Any]]]:
    """Layer data of a session, and the view: ``{"centre": ..., "zoom": ...}``.

    Raises
    ------
    ReadError
        If the folder is no session that can be read.
    """
    yield Progress("Reading the session", 0, 0)
    facts, arrays = read_folder(folder)
    try:
        unpacker = Unpacker(arrays)
        cases = [_unpack_case(unpacker, packed) for packed in facts["cases"]]
        made = []
        for done, record in enumerate(facts["layers"]):
            yield Progress("Reading the session", done, len(facts["layers"]))
            data, arguments, kind = unpack_layer(unpacker, record)
            kept = [(cases[number], str(use)) for number, use in record["uses"]]
            arguments["metadata"][conventions.KEY][KEPT] = kept
            made.append((data, arguments, kind))
        view = {"centre": tuple(map(float, facts["view"]["centre"])), "zoom": float(facts["view"]["zoom"])}
    except MarsqeError as error:
        raise ReadError(f"cannot read the session {folder}: {in_one_line(error)}") from error
    except Exception as error:  # values of the wrong kind lead to errors of any kind
        raise ReadError(
            f"cannot read the session {folder}: it is damaged ({in_one_line(error)}); use another copy"
        ) from error
    return made, view


def _pack_case(packer: Packer, session: Session, number: int, uses: dict[int, list[tuple[int, str]]]) -> dict[str, Any]:
    case = session.cases[number]
    layers = {SOURCE: case.source} | ({TRUTH: case.truth} if case.truth is not None else {}) | case.layers
    layers.pop(conventions.PREVIEW, None)
    for use, layer in layers.items():
        uses.setdefault(id(layer), []).append((number, use))
    return {
        "image": packer.pack(case.image),
        "stem": case.stem,
        "results": {name: packer.pack(getattr(case, name)) for name in _RESULTS},
        "current": case is session.case,
        "put_away": [use for use, layer in layers.items() if layer in case.put_away],
    }


def _unpack_case(unpacker: Unpacker, packed: dict[str, Any]) -> KeptCase:
    image = unpacker.unpack(packed["image"])
    if not isinstance(image, MarsImage):
        raise ReadError("one of its images is none")
    results = {name: unpacker.unpack(packed["results"][name]) for name in _RESULTS}
    return KeptCase(image, str(packed["stem"]), results, bool(packed["current"]), tuple(packed["put_away"]))
