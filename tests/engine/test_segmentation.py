"""Segmentation: what comes out, whatever goes in; windows without seams; weights that are checked."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from marsqe import weights
from marsqe.errors import SettingError, WeightsError
from marsqe.image import MarsImage
from marsqe.networks.segformer import SegFormer, SegFormerConfig, Stage
from marsqe.progress import Progress
from marsqe.segmentation import prepare, run, segment, segment_steps, windows
from marsqe.terrain import CLASSES

TINY = SegFormerConfig(
    stem=4,
    stages=(
        Stage(3, 2, 2, 6, 1, True),
        Stage(3, 2, 2, 8, 1, True),
        Stage(5, 2, 2, 8, 1, True),
        Stage(3, 2, 2, 8, 1, True),
    ),
    width=8,
    attention_width=8,
    attention=(0, 0, 1, 1),
    heads=2,
)


def bundle(folder: Path, network: SegFormer) -> None:
    """Weights and card of a network, as an installation carries them."""
    content = save({k: v.contiguous() for k, v in network.state_dict().items()})
    card = {
        "name": run.WEIGHTS,
        "kind": "terrain",
        "config": asdict(network.config),
        "weights_sha256": hashlib.sha256(content).hexdigest(),
    }
    (folder / f"{run.WEIGHTS}.safetensors").write_bytes(content)
    (folder / f"{run.WEIGHTS}.json").write_text(json.dumps(card))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of weights with a tiny random network in it, used instead of the bundled one."""
    torch.manual_seed(3)
    network = SegFormer(TINY).eval()
    network.decoder.classify.weight.data.mul_(8)  # far from even probabilities
    bundle(tmp_path, network)
    monkeypatch.setattr(weights, "_folder", lambda: tmp_path)
    run.terrain_network.cache_clear()
    yield tmp_path
    run.terrain_network.cache_clear()


def picture(height: int, width: int, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(height * 1000 + width)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, channels))
    pixels = coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width].astype(np.uint8)
    return pixels if channels == 3 else pixels[..., 0]


SHAPES = [(96, 128, 3), (96, 128, 1), (70, 45, 3), (1, 1, 3), (1, 1, 1), (3, 40, 1), (17, 2, 3)]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_pixel_is_labelled_whatever_the_size_and_depth(shape: tuple[int, int, int], dtype: type) -> None:
    pixels = picture(*shape).astype(dtype) * (257 if dtype is np.uint16 else 1)
    terrain = segment(MarsImage.from_array(pixels.astype(dtype)), device="cpu")
    assert terrain.labels.dtype == np.uint8
    assert terrain.labels.shape == shape[:2]
    assert terrain.probabilities is not None
    assert terrain.probabilities.dtype == np.float32
    assert terrain.probabilities.shape == (4, *shape[:2])
    np.testing.assert_allclose(terrain.probabilities.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(terrain.labels, terrain.probabilities.argmax(axis=0) + 1)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_image_without_contrast_is_labelled_with_finite_probabilities(level: int) -> None:
    terrain = segment(MarsImage.from_array(np.full((40, 50), level, np.uint8)), device="cpu")
    assert terrain.probabilities is not None
    assert np.isfinite(terrain.probabilities).all()
    assert sum(terrain.shares().values()) == pytest.approx(1)


@pytest.mark.usefixtures("folder")
def test_gray_is_segmented_as_the_same_gray_in_three_channels() -> None:
    gray = picture(64, 80, 1)
    one = segment(MarsImage.from_array(gray), device="cpu")
    three = segment(MarsImage.from_array(np.repeat(gray[..., None], 3, axis=2)), device="cpu")
    np.testing.assert_array_equal(one.probabilities, three.probabilities)


@pytest.mark.usefixtures("folder")
def test_brightness_and_contrast_do_not_matter() -> None:
    pixels = picture(64, 80).astype(np.float32)
    bright = segment(MarsImage.from_array(np.rint(pixels / 2 + 100).astype(np.uint8)), device="cpu")
    dark = segment(MarsImage.from_array(np.rint(pixels / 2 + 20).astype(np.uint8)), device="cpu")
    assert bright.probabilities is not None and dark.probabilities is not None
    np.testing.assert_allclose(bright.probabilities, dark.probabilities, atol=0.02)


@pytest.mark.usefixtures("folder")
def test_the_same_image_gives_the_same_terrain() -> None:
    image = MarsImage.from_array(picture(90, 70))
    first, second = segment(image, device="cpu"), segment(image, device="cpu")
    np.testing.assert_array_equal(first.probabilities, second.probabilities)


@pytest.mark.usefixtures("folder")
def test_progress_counts_the_windows_to_the_end() -> None:
    seen = list(segment_steps(MarsImage.from_array(picture(40, 1500)), device="cpu"))
    assert all(isinstance(step, Progress) for step in seen)
    assert [step.done for step in seen] == list(range(seen[-1].total + 1))
    assert seen[-1].total > 2


@pytest.mark.usefixtures("folder")
def test_an_unknown_device_is_a_setting_error() -> None:
    with pytest.raises(SettingError, match="device"):
        segment(MarsImage.from_array(picture(32, 32)), device="abacus")


@pytest.mark.parametrize("length", [1, 100, 640, 641, 961, 5379])
def test_windows_cover_an_image_and_overlap_enough(length: int) -> None:
    found = windows.starts(length, 640, 192)
    assert found[0] == 0
    assert found[-1] + min(640, length) == length
    assert all(0 < b - a <= 640 - 192 for a, b in itertools.pairwise(found))


def test_windows_blend_without_a_seam() -> None:
    """Windows that disagree meet in a smooth ramp: no step is higher than the ramp's own."""
    blend = windows.Blend(8, 300)
    left, right = np.zeros((4, 8, 200), np.float32), np.zeros((4, 8, 200), np.float32)
    left[0], right[1] = 1, 1
    blend.add(0, 0, left)
    blend.add(0, 100, right)
    mean = blend.mean()
    np.testing.assert_allclose(mean.sum(axis=0), 1, atol=1e-6)
    assert mean[0, 4, 50] == 1 and mean[1, 4, 250] == 1
    assert np.abs(np.diff(mean[0], axis=1)).max() < 0.02


def test_windows_that_agree_blend_to_what_they_agree_on() -> None:
    truth = np.random.default_rng(1).dirichlet(np.ones(4), (50, 300)).astype(np.float32).transpose(2, 0, 1)
    blend = windows.Blend(50, 300)
    for x in windows.starts(300, 128, 40):
        blend.add(0, x, truth[:, :, x : x + 128])
    np.testing.assert_allclose(blend.mean(), truth, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((1152, 1600), (640, 889)), ((600, 5000), (600, 5000)), ((256, 256), (512, 512)), ((100, 130), (200, 260))],
)
def test_the_working_size_bounds_the_short_side(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert prepare.working_size(*shape) == expected


def test_the_stretch_leaves_out_black_outside_the_stitch() -> None:
    rgb = np.zeros((100, 100, 3), np.uint8)
    rgb[:, 50:] = np.random.default_rng(0).integers(100, 121, (100, 50, 1))
    low, high = prepare.stretch_limits(rgb)
    assert 99 <= low <= 101 and 119 <= high <= 121


def test_a_hot_pixel_does_not_darken_a_16_bit_frame() -> None:
    frame = np.random.default_rng(0).integers(200, 1200, (80, 80)).astype(np.uint16)
    clean = prepare.to_rgb8(frame)
    frame[3, 3] = 65535
    assert abs(float(prepare.to_rgb8(frame).mean()) - float(clean.mean())) < 2


def test_the_network_pads_as_its_pretrained_encoder_expects() -> None:
    """TensorFlow's SAME: at stride 2 an even input gets its padding to the right and bottom first."""
    from marsqe.networks.segformer import SameConv

    conv = SameConv(1, 1, 3, stride=2)
    torch.nn.init.ones_(conv.weight)
    torch.nn.init.zeros_(conv.bias)
    corner = torch.zeros(1, 1, 4, 4)
    corner[..., 0, 0] = 1
    assert conv(corner).tolist() == [[[[1.0, 0.0], [0.0, 0.0]]]]
    corner = torch.zeros(1, 1, 4, 4)
    corner[..., 2, 2] = 1
    assert conv(corner).tolist() == [[[[1.0, 1.0], [1.0, 1.0]]]]


def test_attention_lets_a_far_corner_matter() -> None:
    """The coarse scales see the whole image: beyond the reach of the convolutions, a change is still felt."""
    torch.manual_seed(0)
    plain = SegFormer(SegFormerConfig(**{**asdict(TINY), "stages": TINY.stages, "attention": (0, 0, 0, 0)})).eval()
    attending = SegFormer(TINY).eval()
    x = torch.rand(1, 3, 32, 512)
    y = x.clone()
    y[..., -32:] = 0
    with torch.inference_mode():
        assert torch.equal(plain(x)[..., :32], plain(y)[..., :32])
        assert not torch.equal(attending(x)[..., :32], attending(y)[..., :32])


def test_damaged_weights_are_refused(folder: Path) -> None:
    path = folder / f"{run.WEIGHTS}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        segment(MarsImage.from_array(picture(32, 32)), device="cpu")


def test_missing_weights_say_what_to_do(folder: Path) -> None:
    (folder / f"{run.WEIGHTS}.safetensors").unlink()
    with pytest.raises(WeightsError, match="install"):
        segment(MarsImage.from_array(picture(32, 32)), device="cpu")


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    card = json.loads((folder / f"{run.WEIGHTS}.json").read_text())
    card["config"]["width"] = 16
    (folder / f"{run.WEIGHTS}.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="another network"):
        segment(MarsImage.from_array(picture(32, 32)), device="cpu")


def labels_of_sample(name: str) -> np.ndarray:
    from marsqe.read import open_image
    from marsqe.samples import sample_path

    return segment(open_image(sample_path(name)), device="cpu").labels


def share(labels: np.ndarray, name: str) -> float:
    return float((labels == CLASSES.index(name) + 1).mean())


def test_the_bundled_network_finds_the_horizon_in_colour_and_gray() -> None:
    colour = labels_of_sample("curiosity-mastcam")
    assert share(colour[:30], "sky") > 0.9
    assert share(colour[110:], "sky") < 0.02
    gray = labels_of_sample("opportunity-hazcam")
    assert share(gray[:35], "sky") > 0.85
    assert share(gray[200:], "sky") < 0.05


def test_the_bundled_network_tells_rock_from_what_lies_between() -> None:
    gray = labels_of_sample("curiosity-navcam")
    assert share(gray[100:200, 20:150], "rock") > 0.6
    assert share(gray[220:290, 100:280], "rock") < 0.2
    colour = labels_of_sample("perseverance-hazcam")
    assert share(colour[60:180, 250:350], "rock") > 0.7
    assert share(colour, "sky") < 0.1
