"""Everything that the workbench holds, saved into a folder and back; nothing foreign is touched."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driver import User, at_a_new_workbench
from napari.components import ViewerModel
from napari.layers import Layer
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QFileDialog

from marsqe.errors import ExportError, ReadError
from marsqe.image import MarsImage
from marsqe.progress import run
from marsqe.results import Region
from napari_marsqe import layers as conventions
from napari_marsqe.reader import get_reader, get_session_reader
from napari_marsqe.saving.folder import ARRAYS, FACTS, read_folder, write_folder
from napari_marsqe.saving.packing import Packer, Unpacker
from napari_marsqe.saving.sessions import open_steps
from napari_marsqe.workbench import Workbench
from napari_marsqe.writer import write_session


@pytest.fixture
def another(qtbot: QtBot) -> Iterator[User]:
    """Somebody in front of a second, empty workbench: the next day."""
    yield from at_a_new_workbench(qtbot)


def look(layer: Any) -> dict[str, Any]:
    shown = {name: getattr(layer, name) for name in ("name", "visible", "opacity", "blending")}
    shown |= {"scale": list(layer.scale), "translate": list(layer.translate), "type": type(layer).__name__}
    if hasattr(layer, "contrast_limits"):
        shown["limits"] = list(layer.contrast_limits)
        shown["colours"] = np.asarray(layer.colormap.colors).tolist() if not layer.rgb else None
    if shown["type"] == "Labels":
        shown["classes"] = layer.features["terrain"].tolist()
        shown["colours"] = [layer.get_color(label).tolist() for label in range(1, 5)]
    return shown


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True)) if isinstance(a, list) else np.array_equal(a, b)


def test_a_session_reopens_as_it_was(
    user: User, another: User, jpeg: Path, png: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = user.bench
    user.opens(jpeg, png)
    user.does(bench.understand.action)
    bench.inspect(0, 1)
    user.click(next(b for b in bench.inspector.references.buttons if b.isVisible() and not b.isChecked()))
    user.wait(lambda: bool(user.case.understanding.matches.references.any()))
    terrain = user.layer("sol_0766 · terrain")
    terrain.data[:90, :90] = 1
    terrain.refresh()
    user.does(bench.enhance.action)
    user.does(bench.judge.action)
    user.layer("sol_0766 · residual").visible = True
    user.layer("sol_0766 · ΔPSNR").opacity = 0.25
    bench.inspect(1, 1, extend=True)
    terrain.data[0, 0] = 2  # drawn, and not matched yet
    bench.open_paths([png])
    user.wait(lambda: len(bench.session.cases) == 2)
    bench.session.choose(bench.session.cases[0].source)
    bench.viewer.scene.camera.zoom = 3.5
    before = [look(layer) for layer in bench.viewer.layers]

    folder = tmp_path / "monday.marsqe"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(folder.with_suffix("")), ""))
    bench.open.kept.menu().actions()[0].trigger()
    user.wait(folder.is_dir)
    assert sorted(path.name for path in folder.iterdir()) == [ARRAYS, FACTS]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == [], "nothing half-written"
    jpeg.unlink()  # what the file held is in the session

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    another.bench.open.kept.menu().actions()[1].trigger()
    another.wait(lambda: another.case is not None and another.case.judgement is not None)
    assert [look(layer) for layer in another.bench.viewer.layers] == before
    for old, new in zip(bench.viewer.layers, another.bench.viewer.layers, strict=True):
        assert same(old.data, new.data), old.name
    old, new = user.case, another.case
    assert new.truth is another.layer("sol_0766 · truth")
    assert new.understanding.terrain.source == "drawn"
    assert np.array_equal(new.understanding.matches.references, old.understanding.matches.references)
    assert new.enhancement.provenance == old.enhancement.provenance
    assert new.judgement.metrics == old.judgement.metrics
    assert new.redrawn is not None, "what was drawn last waits to be matched, as before"
    assert new.selected == old.selected == ((0, 1), (1, 1))
    assert another.bench.viewer.scene.camera.zoom == 3.5
    assert new.enhancement.source is new.image, "one object stays one"
    assert new.enhancement.matches is new.understanding.matches
    assert new.source.data is new.image.pixels
    for section in ("open", "understand", "enhance", "judge", "export"):
        now, then = (getattr(b, section).summary.text() for b in (another.bench, bench))
        assert now == then, section

    another.does(another.bench.enhance.action)
    assert another.case.enhancement.provenance["settings"]["faithful"] is True, "held to the file that has gone"
    another.click(another.bench.open.following)
    assert another.case.image.path == png
    assert another.case.source.visible


def test_the_file_menu_saves_and_reopens(user: User, another: User, jpeg: Path, tmp_path: Path) -> None:
    user.opens(jpeg)
    user.does(user.bench.understand.action)
    folder = tmp_path / "tuesday.marsqe"
    data = [layer.as_layer_data_tuple() for layer in user.bench.viewer.layers]
    assert write_session(str(folder), data) == [str(folder)]
    reader = get_session_reader(str(folder))
    assert reader is not None
    layers = [Layer.create(*made) for made in reader(str(folder))]
    for layer in layers:
        another.bench.viewer.add_layer(layer)
    assert another.case.understanding.matches.shape == (2, 2)
    assert another.layers() == user.layers()
    assert get_reader(str(folder)) is None
    assert get_session_reader(str(jpeg)) is None
    with pytest.raises(ExportError, match="Workbench"):
        write_session(str(folder), [(np.zeros((2, 2)), {"name": "x"}, "image")])


def test_layers_of_a_session_wait_for_a_workbench(user: User, jpeg: Path, tmp_path: Path, qtbot: QtBot) -> None:
    user.opens(jpeg)
    user.does(user.bench.understand.action)
    folder = tmp_path / "x.marsqe"
    write_session(str(folder), [layer.as_layer_data_tuple() for layer in user.bench.viewer.layers])
    viewer = ViewerModel()
    for made in run(open_steps(folder))[0]:
        viewer.add_layer(Layer.create(*made))
    bench = Workbench(viewer)
    qtbot.addWidget(bench)
    assert bench.session.case is not None
    assert bench.session.case.understanding is not None
    assert set(bench.session.case.layers) == {conventions.TERRAIN, conventions.REFERENCES}
    bench.runner.close()


def test_an_empty_workbench_has_nothing_to_save(user: User, tmp_path: Path, notified: list[str]) -> None:
    assert not user.bench.open.kept.menu().actions()[0].isEnabled()
    user.bench.save_session(tmp_path / "x.marsqe")
    assert "open one first" in notified[0]
    assert not list(tmp_path.iterdir())


def test_foreign_folders_are_left_alone(user: User, jpeg: Path, tmp_path: Path, notified: list[str]) -> None:
    mine = tmp_path / "mine.marsqe"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    user.opens(jpeg)
    user.bench.save_session(mine)
    user.wait(lambda: bool(notified))
    assert "is no MarsQE session" in notified[0]
    assert [path.name for path in mine.iterdir()] == ["letter.txt"]
    user.bench.open_session(mine)
    user.wait(lambda: len(notified) == 2)
    assert "is no MarsQE session" in notified[1]
    assert user.layers() == ["sol_0766 · compressed"]


def test_a_session_is_replaced_only_when_the_new_one_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "x.marsqe"
    run(write_folder(folder, {"cases": 1}, {"a": np.arange(3)}))
    steps = write_folder(folder, {"cases": 2}, {"a": np.arange(4), "b": np.arange(5)})
    next(steps)
    steps.close()  # cancelled on the way
    with pytest.raises(ExportError, match="no folder"):
        run(write_folder(tmp_path / "missing" / "x.marsqe", {}, {}))
    facts, arrays = read_folder(folder)
    assert facts["cases"] == 1
    assert arrays["a"].tolist() == [0, 1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["x.marsqe"]
    run(write_folder(folder, {"cases": 2}, {"a": np.arange(4)}))
    assert read_folder(folder)[0]["cases"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["x.marsqe"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "version 2"),
        ({"format": "other"}, "no MarsQE session"),
        ({"cases": [{"image": {"$": "value", "type": "Popen", "number": 0, "fields": {}}}]}, "damaged"),
        ({"cases": [{"image": {"$": "eval", "code": "1"}}]}, "unknown kind"),
        ({"cases": 3}, "damaged"),
        ({"layers": [{"kind": "image", "looks": {"$": "array", "name": "gone"}, "facts": {}}]}, "damaged"),
    ],
)
def test_damaged_and_newer_sessions_are_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    folder = tmp_path / "x.marsqe"
    run(write_folder(folder, {"cases": [], "layers": [], "view": {"centre": [0, 0, 0], "zoom": 1}}, {}))
    assert run(open_steps(folder))[0] == []
    facts = json.loads((folder / FACTS).read_text())
    (folder / FACTS).write_text(json.dumps(facts | change))
    with pytest.raises(ReadError, match=says):
        run(open_steps(folder))


def test_nothing_pickled_is_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "x.marsqe"
    run(write_folder(folder, {}, {}))
    (folder / ARRAYS).write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ReadError, match="damaged"):
        read_folder(folder)[1]["a"]
    with pytest.raises(ExportError, match="objects"):
        Packer().pack(np.array([object()]))
    with pytest.raises(ExportError, match="set"):
        Packer().pack({1, 2})


def test_values_come_back_as_they_were() -> None:
    image = MarsImage.from_array(np.arange(12, dtype=np.uint8).reshape(3, 4), metadata={"resolution": (1.5, 2, "cm")})
    value = {
        "a": [image, image],
        "f": frozenset({(2, 1), (1, 2)}),
        3: (float("nan"), -1, None, b"\x00\xff", Path("x")),
        "r": Region(1, 2, 3, 4),
    }
    packer = Packer()
    packed = json.loads(json.dumps(packer.pack(value), allow_nan=False))
    back = Unpacker(packer.arrays).unpack(packed)
    assert back["a"][0] is back["a"][1]
    assert np.array_equal(back["a"][0].pixels, image.pixels)
    assert back["a"][0].metadata == image.metadata
    assert np.isnan(back[3][0])
    assert back[3][1:] == value[3][1:]
    assert back["r"] == Region(1, 2, 3, 4)
    assert back["f"] == value["f"]
