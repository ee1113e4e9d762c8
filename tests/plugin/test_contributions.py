"""What napari may ask of the plugin: manifest, reader, writer, samples; and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.layers import Image, Layer
from npe2 import PluginManifest
from npe2.types import LayerData
from numpy.typing import NDArray

from marsqe.errors import ExportError, ReadError
from marsqe.image import MarsImage
from marsqe.results import Enhancement, Matches
from marsqe.samples import SAMPLES
from marsqe.terrain import Terrain
from napari_marsqe import layers as conventions
from napari_marsqe.frame import Frame
from napari_marsqe.reader import get_reader
from napari_marsqe.writer import write_enhanced

ROOT = Path(__file__).parents[2]

# What napari 0.9 lets plugins add to; others are dropped without a word.
LAYER_MENUS = (
    *("visualize", "annotate", "data", "metadata", "layer_type", "filter", "transform"),
    *("measure", "register", "project", "segment", "track", "classify"),
)
OPEN_MENUS = {f"napari/layers/{name}" for name in LAYER_MENUS}
OPEN_MENUS |= {f"napari/file/{name}" for name in ("io_utilities", "acquire", "new_layer")}


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(ROOT / "napari.yaml")


def test_every_command_can_be_imported(manifest: PluginManifest) -> None:
    manifest.validate_imports()


def test_menus_are_those_that_napari_shows(manifest: PluginManifest) -> None:
    assert manifest.contributions.menus
    assert set(manifest.contributions.menus) <= OPEN_MENUS


@pytest.mark.gui
def test_the_menu_opens_the_workbench(make_napari_viewer: Callable[..., Any], manifest: PluginManifest) -> None:
    from napari._app_model import get_app_model

    viewer = make_napari_viewer()
    for menu, (item,) in manifest.contributions.menus.items():
        listed = [getattr(entry, "command", None) for entry in get_app_model().menus.get_menu(menu)]
        assert item.command in [command.id for command in listed if command is not None]
    get_app_model().commands.execute_command(item.command).result()
    assert any("MarsQE Workbench" in name for name in viewer.window.dock_widgets)


def test_every_bundled_sample_is_offered(manifest: PluginManifest) -> None:
    samples = manifest.contributions.sample_data or []
    assert {sample.key for sample in samples} == {sample.name for sample in SAMPLES}


@pytest.mark.parametrize("name", [sample.name for sample in SAMPLES])
def test_a_sample_opens_with_its_truth_below(manifest: PluginManifest, name: str) -> None:
    command = next(s.command for s in manifest.contributions.sample_data or [] if s.key == name)
    python_name = next(str(c.python_name) for c in manifest.contributions.commands or [] if c.id == command)
    module, function = python_name.split(":")
    made: list[LayerData] = getattr(__import__(module, fromlist=[function]), function)()
    below, above = (Layer.create(*data) for data in made)
    assert (below.name, above.name) == (f"{name} · truth", f"{name} · compressed")
    assert below.data.shape == above.data.shape
    assert not np.array_equal(below.data, above.data)
    facts = conventions.facts(above)["image"]
    assert facts.compression.quality == 30
    assert conventions.facts(below)["of"] == facts.sha256


def test_reader_gives_pixels_and_facts(jpeg: Path, truth: NDArray[np.uint8]) -> None:
    reader = get_reader(str(jpeg))
    assert reader is not None
    (data,) = reader(str(jpeg))
    layer = Layer.create(*data)
    assert isinstance(layer, Image)
    assert layer.name == "sol_0766 · compressed"
    assert layer.rgb
    assert layer.data.shape == truth.shape
    image = conventions.image_of(layer)
    assert image.compression.summary().startswith("JPEG, quality 30, 4:2:0")
    assert image.pixels is layer.data, "one copy in memory"


def test_reader_takes_a_list_and_a_lossless_image_by_its_own_name(jpeg: Path, png: Path) -> None:
    reader = get_reader([str(jpeg), str(png)])
    assert reader is not None
    names = [Layer.create(*data).name for data in reader([str(jpeg), str(png)])]
    assert names == ["sol_0766 · compressed", "sol_0766_truth"]


@pytest.mark.parametrize("path", ["a.txt", "a", ["a.jpg", "b.txt"], []])
def test_reader_leaves_other_files_alone(path: str | list[str]) -> None:
    assert get_reader(path) is None


def test_reader_says_what_is_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"")
    reader = get_reader(str(broken))
    assert reader is not None
    with pytest.raises(ReadError, match="empty"):
        reader(str(broken))


def an_enhancement(pixels: NDArray[np.uint8]) -> Enhancement:
    ones = np.ones((1, 1))
    matches = Matches(np.ones((1, 1), np.uint8), np.zeros((1, 1), np.int64), ones, np.ones((1, 1, 6)), ones)
    terrain = Terrain(np.ones(pixels.shape[:2], np.uint8))
    source = MarsImage.from_array(255 - pixels)
    record = {"model": {"name": "a-model"}}
    return Enhancement(pixels, source, terrain, matches, "a-model", "cpu", 1.0, provenance=record)


def test_writer_writes_the_pixels_and_how_they_were_made(tmp_path: Path, truth: NDArray[np.uint8]) -> None:
    layer = Layer.create(*conventions.enhanced_layer(an_enhancement(truth), "some", Frame()))
    path = tmp_path / "out.tif"
    data, attributes, _ = layer.as_layer_data_tuple()
    assert write_enhanced(str(path), data, attributes) == [str(path)]
    with tifffile.TiffFile(path) as tiff:
        assert np.array_equal(tiff.asarray(), truth)
        assert "a-model" in str([tag.value for tag in tiff.pages[0].tags])


def test_writer_refuses_what_it_cannot_vouch_for(tmp_path: Path, truth: NDArray[np.uint8]) -> None:
    plain = Image(truth, name="mine")
    with pytest.raises(ExportError, match="'mine' holds no MarsQE result"):
        write_enhanced(str(tmp_path / "a.tif"), plain.data, plain.as_layer_data_tuple()[1])
    changed = Layer.create(*conventions.enhanced_layer(an_enhancement(truth), "some", Frame()))
    changed.data = truth[::-1].copy()
    with pytest.raises(ExportError, match="changed after"):
        write_enhanced(str(tmp_path / "a.tif"), changed.data, changed.as_layer_data_tuple()[1])
    assert not list(tmp_path.iterdir())


def test_no_module_of_the_plugin_loads_torch() -> None:
    """Not even the workbench with an image in it: torch loads in the thread of the first step."""
    code = (
        "import importlib, pathlib, sys\n"
        "from qtpy.QtWidgets import QApplication\n"
        "app = QApplication([])\n"
        "import napari_marsqe\n"
        "root = pathlib.Path(napari_marsqe.__file__).parent\n"
        "for path in root.rglob('*.py'):\n"
        "    parts = path.relative_to(root.parent).with_suffix('').parts\n"
        "    importlib.import_module('.'.join(p for p in parts if p != '__init__'))\n"
        "from napari.components import ViewerModel\n"
        "from napari_marsqe.samples import open_curiosity_navcam\n"
        "from napari.layers import Layer\n"
        "viewer = ViewerModel()\n"
        "bench = napari_marsqe.workbench.Workbench(viewer)\n"
        "[viewer.add_layer(Layer.create(*data)) for data in open_curiosity_navcam()]\n"
        "assert bench.session.case is not None\n"
        "sys.exit('torch was loaded' if 'torch' in sys.modules else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
