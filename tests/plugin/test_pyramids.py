"""Large results open as pyramids, of which only what is looked at is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

import marsqe
from marsqe.errors import SettingError
from marsqe.export.pyramid import PyramidWriter, halved
from marsqe.read.rows import TiffRows
from napari_marsqe import layers as conventions
from napari_marsqe.reader import read_layers


@pytest.fixture(params=["gray", "colour"])
def large(request: Any, tmp_path: Path) -> Path:
    shape = (768, 1300) if request.param == "gray" else (768, 1300, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    path = tmp_path / "mosaic.tif"
    writer = PyramidWriter(path, shape, np.uint8, tmp_path)
    writer.start({})
    for top in range(0, shape[0], 256):
        writer.add(pixels[top : top + 256])
    writer.finish()
    return path


def test_a_pyramid_is_one_layer_of_several_scales(large: Path) -> None:
    (data,) = read_layers(str(large))
    layer = Layer.create(*data)
    ViewerModel().add_layer(layer)
    assert layer.multiscale
    assert layer.name == "mosaic"
    pixels = marsqe.open_image(large).pixels
    assert [level.shape for level in layer.data] == [pixels.shape, halved(pixels).shape, halved(halved(pixels)).shape]
    np.testing.assert_array_equal(np.asarray(layer.data[0][100:130, 700:]), pixels[100:130, 700:])
    np.testing.assert_array_equal(np.asarray(layer.data[1]), halved(pixels))


def test_only_what_is_looked_at_is_read(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    region = TiffRows.region

    def counting(self: TiffRows, *place: int) -> Any:
        read.append((place[1] - place[0]) * (place[3] - place[2]))
        return region(self, *place)

    monkeypatch.setattr(TiffRows, "region", counting)
    (data,) = read_layers(str(large))
    assert sum(read) == 0
    np.asarray(data[0][0][10:20, 10:20])
    assert 0 < sum(read) <= 512 * 512


def test_the_workbench_says_what_to_do_with_a_pyramid(large: Path) -> None:
    (data,) = read_layers(str(large))
    with pytest.raises(SettingError, match="pyramid"):
        conventions.image_of(Layer.create(*data))
