"""Layer conventions: places, colours, what is shown of a judgement, what is updated in place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer

from marsqe.errors import SettingError
from marsqe.image import MarsImage
from marsqe.results import Judgement
from marsqe.terrain import CLASSES, COLOURS, Terrain
from napari_marsqe import layers as conventions
from napari_marsqe.frame import Frame


def judgement(gain: Any = 1.0) -> Judgement:
    flat = np.full((200, 300), 4, np.float32)
    return Judgement(flat, flat, flat / 2, np.full((2, 3), gain, np.float32), {}, {})


def extent(layer: Any) -> list[list[float]]:
    return np.asarray(layer.extent.world).tolist()


def test_tiles_lie_on_their_pixels() -> None:
    image = Image(np.zeros((256, 384), np.uint8), scale=(0.5, 2), translate=(10, 20))
    shown = conventions.judgement_layers("s", judgement(), Frame.of(image))
    gain = Layer.create(*shown[conventions.GAIN])
    corner = gain.data_to_world((-0.5, -0.5))
    assert corner == pytest.approx(image.data_to_world((-0.5, -0.5)))
    assert gain.data_to_world((1.5, 2.5)) == pytest.approx(image.data_to_world((255.5, 383.5)))
    mark = Layer.create(*conventions.tile_mark("s", (1, 2), (1, 2), Frame.of(image)))
    low, high = mark.data[0].min(axis=0), mark.data[0].max(axis=0)
    assert mark.data_to_world(low) == pytest.approx(image.data_to_world((127.5, 255.5)))
    assert mark.data_to_world(high) == pytest.approx(image.data_to_world((255.5, 383.5)))


def test_border_tiles_end_with_the_image() -> None:
    region = conventions.tile_region((160, 200), 1, 1)
    assert (region.x, region.y, region.width, region.height) == (128, 128, 72, 32)


def test_terrain_has_class_colours_and_names_in_the_status_bar() -> None:
    labels = np.repeat(np.arange(5, dtype=np.uint8), 20).reshape(10, 10)
    layer = Layer.create(*conventions.terrain_layer("s", Terrain(labels), Frame()))
    assert isinstance(layer, Labels)
    for index, name in enumerate(CLASSES, 1):
        assert layer.get_color(index)[:3] * 255 == pytest.approx(COLOURS[name], abs=1)
    assert layer.get_color(0) is None
    status = layer.get_status((9, 9), view_direction=None, dims_displayed=[0, 1])
    assert "rock" in str(status)


def test_residuals_before_and_after_share_a_scale() -> None:
    shown = conventions.judgement_layers("s", judgement(), Frame())
    before, after = shown[conventions.RESIDUAL_BEFORE], shown[conventions.RESIDUAL]
    assert before[1]["contrast_limits"] == after[1]["contrast_limits"]
    assert set(shown) == {conventions.RESIDUAL_BEFORE, conventions.RESIDUAL, conventions.GAIN}


def test_without_a_truth_only_the_change_is_shown() -> None:
    shown = conventions.judgement_layers("s", Judgement(np.ones((8, 8), np.float32)), Frame())
    assert list(shown) == [conventions.CHANGE]
    assert shown[conventions.CHANGE][1]["name"] == "s · change"


@pytest.mark.parametrize("gain", [np.nan, np.inf, -2.0, 0.0])
def test_gain_is_drawn_about_zero(gain: float) -> None:
    data, arguments, _ = conventions.judgement_layers("s", judgement(gain), Frame())[conventions.GAIN]
    low, high = arguments["contrast_limits"]
    assert low == -high < 0
    assert np.isfinite(data).all()
    assert (np.abs(data) <= high).all()


def test_layers_are_updated_in_place_and_keep_what_the_user_set() -> None:
    viewer = ViewerModel()
    first = conventions.put(viewer, None, conventions.judgement_layers("s", judgement(), Frame())[conventions.GAIN])
    first.name, first.visible, first.opacity = "my name", False, 0.3
    new = conventions.judgement_layers("s", judgement(-3), Frame())[conventions.GAIN]
    assert conventions.put(viewer, first, new) is first
    assert len(viewer.layers) == 1
    assert (first.data == -3).all()
    assert first.contrast_limits == [-3, 3]
    assert (first.name, first.visible, first.opacity) == ("my name", False, 0.3)


def test_a_removed_layer_is_made_again() -> None:
    viewer = ViewerModel()
    data = conventions.judgement_layers("s", judgement(), Frame())[conventions.GAIN]
    first = conventions.put(viewer, None, data)
    viewer.layers.remove(first)
    assert conventions.put(viewer, first, data) is not first
    assert len(viewer.layers) == 1


def test_pixels_of_any_plain_image() -> None:
    alpha = Image(np.zeros((4, 5, 4), np.uint8), rgb=True)
    assert conventions.pixels_of(alpha).shape == (4, 5, 3)
    assert conventions.image_of(Image(np.zeros((4, 5), np.uint16), name="x")).name == "x"


@pytest.mark.parametrize(
    "layer",
    [
        Image(np.zeros((4, 5), np.float32), name="wrong"),
        Image(np.zeros((2, 4, 5), np.uint8), name="wrong"),
        Image([np.zeros((8, 8), np.uint8), np.zeros((4, 4), np.uint8)], multiscale=True, name="wrong"),
    ],
    ids=["float", "stack", "pyramid"],
)
def test_images_that_the_engine_does_not_take_are_named(layer: Image) -> None:
    with pytest.raises(SettingError, match="'wrong'"):
        conventions.pixels_of(layer)


def test_facts_count_only_while_they_are_true() -> None:
    image = MarsImage.from_array(np.zeros((8, 8), np.uint8), metadata={"name": "a"})
    layer = Layer.create(*conventions.source_layer(image))
    assert conventions.image_of(layer) is image
    layer.data = np.ones((8, 8), np.uint8)
    assert conventions.image_of(layer) is not image


def test_results_are_not_offered_as_sources() -> None:
    change = Layer.create(*conventions.judgement_layers("s", Judgement(np.ones((8, 8), np.float32)), Frame())["change"])
    assert not conventions.is_source(change)
    assert conventions.is_source(Image(np.zeros((4, 4))))
    assert not conventions.is_source(Labels(np.zeros((4, 4), int)))
