"""The paper's networks as a whole: shapes, caching, precision, gradients, sizes and costs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from marsqe.networks.conditioning import condition_vector
from marsqe.networks.cost import TILES, count_module_macs, count_parameters
from marsqe.networks.marsqe import LiteConfig, MarsQE, MarsQEConfig, MarsQELite, raw_condition
from marsqe.networks.padding import join_tiles, reflect_to, split_tiles
from marsqe.networks.post import PostConfig
from marsqe.networks.swift import MarsQESwift
from marsqe.networks.texture import EncodedReference, unfold_blocks

LITE = LiteConfig(widths=(8, 12, 16), blocks=1, reduction=4)
POST = PostConfig(widths=(4, 6, 8), down=(1, 1, 1), up=(1, 1, 1), keys=8, reduction=2)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def wake(network: nn.Module) -> nn.Module:
    """Give the layers that start at zero a value, so that they hide nothing."""
    for parameter in network.parameters():
        if parameter.abs().max() == 0:
            nn.init.normal_(parameter, std=0.1)
    return network


def pixels(batch: int, side: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(seed))


def condition(batch: int) -> torch.Tensor:
    tables = [torch.full((8, 8), 16).numpy(), torch.full((8, 8), 40).numpy()]
    return torch.from_numpy(condition_vector(tables, (2, 2))).repeat(batch, 1)


def test_lite_enhances_patches_and_reports_similarity_at_every_scale() -> None:
    lite = MarsQELite(LITE)
    references = lite.encode_references(pixels(2, seed=1), pixels(2, seed=2), condition(2))
    out = lite(pixels(2), condition(2), references)
    assert out.enhanced.shape == (2, 3, 32, 32)
    assert out.features.shape == (2, 8, 32, 32)
    assert [tuple(s.shape) for s in out.similarities] == [(2, 8, 8), (2, 4, 4), (2, 2, 2)]
    assert torch.equal(out.enhanced, pixels(2)), "untrained, it must return its input"


def test_lite_finds_itself_when_the_compressed_reference_is_the_input() -> None:
    lite = wake(MarsQELite(LITE)).eval()
    references = lite.encode_references(pixels(1, seed=1), pixels(1), condition(1))
    for similarity in lite(pixels(1), condition(1), references).similarities:
        torch.testing.assert_close(similarity, torch.ones_like(similarity))


def test_cached_dictionary_gives_what_encoding_for_every_patch_gives() -> None:
    lite = wake(MarsQELite(LITE)).eval()
    raw, compressed = pixels(3, seed=1), pixels(3, seed=2)
    chosen = torch.tensor([2, 0, 2, 1])
    with torch.inference_mode():
        dictionary = lite.encode_references(raw, compressed, condition(3))
        cached = lite(pixels(4), condition(4), [level.select(chosen) for level in dictionary])
        each = lite.encode_references(raw[chosen], compressed[chosen], condition(4))
        uncached = lite(pixels(4), condition(4), each)
    torch.testing.assert_close(cached.enhanced, uncached.enhanced, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(cached.features, uncached.features, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("changed", ["raw", "compressed", "condition"])
def test_reference_and_condition_count(changed: str) -> None:
    lite = wake(MarsQELite(LITE)).eval()
    inputs = {"raw": pixels(1, seed=1), "compressed": pixels(1, seed=2), "condition": condition(1)}
    other = inputs | {changed: torch.zeros(1, 12) if changed == "condition" else pixels(1, seed=9)}
    outs = [
        lite(
            pixels(1), given["condition"], lite.encode_references(given["raw"], given["compressed"], given["condition"])
        )
        for given in (inputs, other)
    ]
    assert not torch.allclose(outs[0].enhanced, outs[1].enhanced)


def test_raw_references_are_told_to_be_uncompressed_whatever_the_file() -> None:
    gray = torch.from_numpy(condition_vector(None, colour=False))[None]
    told = raw_condition(torch.cat([condition(1), gray]))
    assert torch.equal(told[:, 10], torch.tensor([1.0, 0.0]))
    assert torch.equal(told[0, :10], told[1, :10])
    assert not torch.equal(told[1], gray[0]), "uncompressed is not the same as unknown"


def test_values_are_encoded_as_uncompressed_and_keys_as_the_file() -> None:
    lite = wake(MarsQELite(LITE)).eval()
    level = lite.encode_references(pixels(1, seed=1), pixels(1, seed=2), condition(1))[0]
    raw = lite.encoder(pixels(1, seed=1), raw_condition(condition(1)))[0]
    compressed = lite.encoder(pixels(1, seed=2), condition(1))[0]
    assert torch.equal(level.values, unfold_blocks(raw, 4))
    assert torch.equal(level.keys, unfold_blocks(compressed, 4))


def test_works_without_known_tables_on_gray() -> None:
    lite = wake(MarsQELite(LITE))
    unknown = torch.from_numpy(condition_vector(None, colour=False))[None]
    references = lite.encode_references(pixels(1, seed=1), pixels(1, seed=2), unknown)
    assert torch.isfinite(lite(pixels(1), unknown, references).enhanced).all()


def test_bfloat16_autocast_keeps_image_and_similarities_in_float32() -> None:
    lite = wake(MarsQELite(LITE)).eval()
    with torch.inference_mode():
        references = lite.encode_references(pixels(1, seed=1), pixels(1, seed=2), condition(1))
        exact = lite(pixels(1), condition(1), references)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = lite(
                pixels(1),
                condition(1),
                lite.encode_references(pixels(1, seed=1), pixels(1, seed=2), condition(1)),
            )
    assert rounded.enhanced.dtype == torch.float32
    assert all(similarity.dtype == torch.float32 for similarity in rounded.similarities)
    assert not torch.equal(exact.enhanced, rounded.enhanced)
    assert (exact.enhanced - rounded.enhanced).abs().mean() < 0.05


def tiny() -> MarsQE:
    network = wake(MarsQE(MarsQEConfig(LITE, POST)))
    assert isinstance(network, MarsQE)
    return network


def whole(network: MarsQE, height: int, width: int, labels: torch.Tensor | None = None) -> list[torch.Tensor]:
    count = -(-height // 128) * -(-width // 128)
    references = network.encode_references(pixels(1, 128, 1), pixels(1, 128, 2), condition(1))
    each = [EncodedReference.select(level, torch.zeros(count, dtype=torch.int64)) for level in references]
    image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(4))
    if labels is None:
        labels = torch.ones(1, height, width, dtype=torch.uint8)
    return [image, *network(image, condition(1), each, labels)]


def test_full_network_enhances_images_of_any_size_in_two_steps() -> None:
    image, enhanced, post_enhanced = whole(tiny(), 70, 150)
    assert enhanced.shape == post_enhanced.shape == image.shape
    assert post_enhanced.dtype == torch.float32
    assert not torch.allclose(enhanced, image)
    assert not torch.allclose(post_enhanced, enhanced)


def test_images_of_a_batch_keep_their_own_patches_and_condition() -> None:
    network = tiny().eval()
    images = torch.rand(2, 3, 128, 256, generator=torch.Generator().manual_seed(6))
    conditions = torch.cat([condition(1), torch.zeros(1, 12)])
    labels = torch.ones(2, 128, 256, dtype=torch.uint8)
    references = network.encode_references(pixels(4, 128, 1), pixels(4, 128, 2), condition(4))
    with torch.inference_mode():
        together = network(images, conditions, references, labels)
        for i in range(2):
            own = [level.select(torch.tensor([2 * i, 2 * i + 1])) for level in references]
            alone = network(images[i : i + 1], conditions[i : i + 1], own, labels[i : i + 1])
            torch.testing.assert_close(together.post_enhanced[i : i + 1], alone.post_enhanced, atol=1e-4, rtol=1e-4)


def test_labels_matter_to_the_post_enhancement_alone() -> None:
    network = tiny().eval()
    labels = torch.ones(1, 128, 128, dtype=torch.uint8)
    labels[:, 64:] = 4
    one, two = whole(network, 128, 128), whole(network, 128, 128, labels)
    assert torch.equal(one[1], two[1])
    assert not torch.allclose(one[2], two[2])


def test_gradients_reach_every_parameter() -> None:
    network = tiny()
    raw, enhanced, post_enhanced = whole(network, 128, 128)
    ((enhanced - raw).square().mean() + (post_enhanced - raw).square().mean()).backward()
    still = {name for name, p in network.named_parameters() if p.grad is None or p.grad.abs().max() == 0}
    assert still <= {"post.nlm.attention.key.bias"}


def test_tiles_go_apart_and_together() -> None:
    image = torch.arange(2 * 3 * 20 * 27).reshape(2, 3, 20, 27)
    tiles = split_tiles(image, 8)
    assert tiles.shape == (2 * 3 * 4, 3, 8, 8)
    assert torch.equal(tiles[1], image[0, :, :8, 8:16])
    assert torch.equal(join_tiles(tiles, 20, 27), image)


def test_reflection_pads_even_the_shortest_image() -> None:
    row = torch.tensor([1, 2, 3]).reshape(1, 1, 1, 3)
    assert reflect_to(row, 2, 8)[0, 0].tolist() == [[1, 2, 3, 2, 1, 2, 3, 2]] * 2
    x = torch.rand(1, 2, 9, 9)
    assert torch.equal(reflect_to(x, 12, 9), nn.functional.pad(x, (0, 0, 0, 3), mode="reflect"))


@pytest.mark.parametrize(
    ("network", "parameters", "macs"),
    [(MarsQELite, 1.43e6, 0.99e12), (MarsQE, 5.49e6, 1.44e12)],
)
def test_size_and_cost_are_the_papers_within_a_tenth(network: type[nn.Module], parameters: float, macs: float) -> None:
    built = network()
    assert count_parameters(built) == pytest.approx(parameters, rel=0.1)
    assert count_module_macs(built, cached=False) == pytest.approx(macs, rel=0.1)


def test_caching_saves_a_third_and_swift_costs_a_sixth() -> None:
    lite = count_module_macs(MarsQELite(), cached=False)
    assert count_module_macs(MarsQELite(), cached=True) < 0.65 * lite
    assert count_module_macs(MarsQESwift(), cached=False) < 0.18 * lite
    assert TILES == 117


def test_a_convolution_is_counted_as_multiply_adds() -> None:
    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 5, 3, padding=1)

        def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.conv(x)
            return out

    assert count_module_macs(One(), cached=False) == 1152 * 1600 * 3 * 5 * 9
