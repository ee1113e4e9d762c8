"""The paper's rivals: their published sizes, what their architectures promise, and training by the common loop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from marsqe.cli.main import main, parser
from marsqe.errors import SettingError
from marsqe.networks import registry
from marsqe.networks.cost import count_module_macs, count_parameters
from marsqe.networks.listing import list_models
from marsqe.networks.rivals import RIVALS, Published, find_rival
from marsqe.networks.rivals.arcnn import ARCNN
from marsqe.networks.rivals.cbdnet import CBDNet
from marsqe.networks.rivals.daqe import BLOCK, DAQE, block_sharpness
from marsqe.networks.rivals.dncnn import DnCNN
from marsqe.networks.rivals.rbqe import RBQE
from marsqe.train.loop import Recipe, train

NAMES = list(RIVALS)
NO_CONDITION = torch.zeros(1, 12)


def build(name: str, channels: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return RIVALS[name].build(channels).eval()


def noise(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def three_sharpnesses() -> torch.Tensor:
    """Three blocks side by side: flat, soft stripes, noise."""
    image = noise(BLOCK, 3 * BLOCK)
    image[..., :BLOCK] = 0.5
    image[..., BLOCK : 2 * BLOCK] = 0.5 + 0.4 * torch.sin(1.1 * torch.arange(BLOCK))
    return image


def last_convolution(network: nn.Module) -> nn.Conv2d:
    return [m for m in network.modules() if isinstance(m, nn.Conv2d)][-1]


@pytest.mark.parametrize("name", NAMES)
def test_costs_are_those_counted(name: str) -> None:
    assert count_parameters(build(name)) == RIVALS[name].parameters
    assert count_module_macs(build(name), cached=False) == RIVALS[name].macs_1152x1600


def measured(name: str, size: Published) -> int:
    network = RIVALS[name].build(size.channels)
    if size.what == "macs_1152x1600":
        return count_module_macs(network, cached=False)
    if size.what == "weights":
        return sum(m.weight.numel() for m in network.modules() if isinstance(m, nn.Conv2d))
    return count_parameters(network)


@pytest.mark.parametrize(("name", "size"), [(name, size) for name in NAMES for size in RIVALS[name].published])
def test_sizes_are_those_published(name: str, size: Published) -> None:
    ours = measured(name, size)
    assert size.source
    if size.relation == "below":
        assert ours < size.value
    else:
        assert ours == pytest.approx(size.value, rel=size.tolerance, abs=0)


def test_every_rival_of_the_paper_is_there_in_the_order_of_its_tables() -> None:
    assert NAMES == ["arcnn", "dcad", "dncnn", "cbdnet", "rbqe", "daqe"]
    with pytest.raises(SettingError, match=r"no rival 'arcn'.*arcnn, dcad"):
        find_rival("arcn")


def test_rivals_are_no_presets() -> None:
    assert not set(RIVALS) & {row["name"] for row in list_models()}
    with pytest.raises(SettingError):
        registry.find("cbdnet")


def test_listing_rivals_needs_no_torch() -> None:
    code = "import sys; from marsqe.networks.rivals import RIVALS; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_any_size_goes_in_and_comes_out(name: str) -> None:
    network = build(name)
    for height, width in ((37, 51), (1, 9), (64, 33)):
        out = network(noise(height, width), NO_CONDITION)
        assert out.shape == (1, 3, height, width)
        assert out.dtype == torch.float32
        assert torch.isfinite(out).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_input_gives_the_same_output_whatever_the_condition(name: str) -> None:
    image = noise(40, 40)
    with torch.inference_mode():
        first = build(name)(image, NO_CONDITION)
        assert torch.equal(first, build(name)(image, torch.ones(1, 12)))
        assert not torch.equal(first, build(name)(image.flip(2), NO_CONDITION))


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_gives_nearly_the_same_as_float32(name: str) -> None:
    network = build(name)
    with torch.inference_mode():
        exact = network(noise(40, 40), NO_CONDITION)
        with torch.autocast("cpu", torch.bfloat16):
            rough = network(noise(40, 40), NO_CONDITION)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, atol=0.01, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_last_layer_adds_to(name: str) -> None:
    """All but AR-CNN predict what is missing from their input: silenced, they return it."""
    network = build(name)
    image = three_sharpnesses()
    for tail in getattr(network, "tails", [network]):
        layer = last_convolution(tail)
        nn.init.zeros_(layer.weight)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    assert torch.equal(network(image, NO_CONDITION), torch.zeros_like(image) if name == "arcnn" else image)


def test_arcnn_can_be_made_residual() -> None:
    torch.manual_seed(0)
    network = ARCNN(residual=True)
    direct = ARCNN()
    direct.load_state_dict(network.state_dict())
    image = noise(20, 20)
    torch.testing.assert_close(network(image), direct(image) + image)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_reaches_every_parameter(name: str) -> None:
    network = build(name).train()
    image = three_sharpnesses().repeat(2, 1, 1, 1)
    outputs = network.exits(image, NO_CONDITION) if RIVALS[name].exits > 1 else [network(image, NO_CONDITION)]
    sum((output - 0.3).square().mean() for output in outputs).backward()  # type: ignore[union-attr]
    still = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not still


@pytest.mark.parametrize(("depth", "side"), [(20, 41), (17, 35)])
def test_dncnn_sees_as_far_as_its_paper_says(depth: int, side: int) -> None:
    """The paper: a receptive field of 2 depth + 1."""
    torch.manual_seed(0)
    network = DnCNN(depth=depth).double().eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 0.01)
    image = torch.rand(1, 3, 47, 47, dtype=torch.float64, requires_grad=True)
    network(image)[0, 0, 23, 23].backward()
    assert image.grad is not None
    touched = torch.nonzero(image.grad.abs().sum(dim=(0, 1))).amax(dim=0) - 23
    assert touched.tolist() == [side // 2, side // 2]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == depth - 2


def test_cbdnet_makes_use_of_its_estimate() -> None:
    network = build("cbdnet")
    assert isinstance(network, CBDNet)
    image = noise(32, 32)
    estimate = network.noise_level(image)
    assert estimate.shape == image.shape
    assert (estimate >= 0).all()
    assert estimate.max() > 0
    before = network(image)
    nn.init.constant_(network.level.weight, 0.0)
    assert not torch.equal(before, network(image))


def test_rbqe_has_its_exits_and_ends_at_the_last() -> None:
    network = build("rbqe")
    assert isinstance(network, RBQE)
    image = noise(48, 70)
    with torch.inference_mode():
        exits = network.exits(image, NO_CONDITION)
        assert len(exits) == RIVALS["rbqe"].exits == 5
        assert all(out.shape == image.shape for out in exits)
        assert len({float(out.sum()) for out in exits}) == 5
        assert torch.equal(network(image, NO_CONDITION), exits[-1])


def test_rbqe_builds_deeper_exits_on_shallower_features() -> None:
    """A change of the second U-Net leaves the first exit alone and changes all that follow."""
    network = build("rbqe")
    assert isinstance(network, RBQE)
    image = noise(32, 32)
    with torch.inference_mode():
        before = network.exits(image)
        for parameter in network.nested.nodes[1].parameters():
            parameter.mul_(1.5)
        after = network.exits(image)
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [True, False, False, False, False]


def test_daqe_sorts_blocks_by_defocus() -> None:
    network = build("daqe")
    assert isinstance(network, DAQE)
    image = three_sharpnesses()
    assert float(block_sharpness(torch.full((1, 3, BLOCK, BLOCK), 0.3))) == pytest.approx(1)
    flat, soft, sharp = block_sharpness(image)[0, 0, 0].tolist()
    assert flat < soft < sharp
    sorts = network.sorts(image)
    assert sorts.shape == (1, 1, BLOCK, 3 * BLOCK)
    assert [int(sorts[0, 0, 0, column * BLOCK]) for column in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("sort", [0, 1, 2])
def test_daqe_enhances_each_sort_by_its_own_exit(sort: int) -> None:
    network = build("daqe")
    assert isinstance(network, DAQE)
    image = three_sharpnesses()
    with torch.inference_mode():
        before = network(image)
        last_convolution(network.tails[sort]).weight.add_(1.0)
        changed = (network(image) != before).any(dim=1)[0]
    blocks = [bool(changed[:, column * BLOCK : (column + 1) * BLOCK].any()) for column in range(3)]
    assert blocks == [column == sort for column in range(3)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of tiny truth images, one of each group of cameras."""
    random = np.random.default_rng(0)
    splits = ("train/msl_mastcam", "train/m2020_hazcam", "train/msl_gray", "train/mixed_colour", "val/tiny")
    lines = ["split,file"]
    for number, split in enumerate(splits):
        Image.fromarray(random.integers(60, 200, (72, 72, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
        lines.append(f"{split},{number}.png")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.mark.parametrize(("name", "precision"), [("dncnn", "32-true"), ("rbqe", "bf16-mixed")])
def test_the_common_loop_trains_all_of_a_rival(name: str, precision: str, data: Path) -> None:
    """DnCNN for its batch statistics, RBQE for its exits: nothing of either stays as it began."""
    recipe = Recipe(budget=0.3, batch=2, size=32, workers=0, warm_up=1, precision=precision, splits=("val/tiny",))
    network = build(name)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    reports = list(train(network, data, data / "run", recipe))
    after = load_file(data / "run" / "average.safetensors")
    assert {gain.split for gain in reports[-1].gains} == {"val/tiny"}
    assert set(after) == set(before)
    assert not [key for key, value in before.items() if torch.equal(value, after[key])]


def test_the_command_line_trains_rivals_with_the_options_of_swift(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--data", str(tmp_path), "--out", str(tmp_path / "run")]
    swift = vars(parser().parse_args(["train", "marsqe-swift", *places]))
    for name in NAMES:
        own = {"residual": False} if name == "arcnn" else {}
        assert vars(parser().parse_args(["train", name, *places])) == {**swift, "preset": name, **own}
    assert main(["train", "arcnn", *places]) == 2
    assert "manifest.csv" in capsys.readouterr().err
