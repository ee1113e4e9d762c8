"""Post-enhancement: QEM, Eq. 6 within each class, and the network around them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from marsqe.networks.attention import conv3x3
from marsqe.networks.post import (
    NLM,
    QEM,
    LayerNorm,
    PostConfig,
    PostEnhancement,
    class_groups,
    nlm_eq6,
    same_class_conv3x3,
)

TINY = PostConfig(widths=(4, 6, 8), down=(1, 1, 2), up=(1, 1, 1), keys=5, reduction=2)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def two_halves(height: int = 8, width: int = 8) -> torch.Tensor:
    labels = torch.ones(1, height, width, dtype=torch.uint8)
    labels[:, :, width // 2 :] = 3
    return labels


@pytest.mark.parametrize("keys", [4, 1000])
def test_nlm_never_mixes_two_classes(keys: int) -> None:
    nlm, labels = NLM(8, keys).eval(), two_halves()
    x = torch.randn(1, 8, 8, 8)
    changed = torch.where(labels[:, None] == 3, x + torch.randn_like(x), x)
    before, after = nlm(x, labels), nlm(changed, labels)
    first = (labels == 1)[:, None].expand_as(x)
    assert torch.equal(before[first], after[first])
    assert not torch.allclose(before[~first], after[~first])


def test_nlm_reaches_far_within_a_class() -> None:
    nlm, labels = NLM(8, 1000).eval(), two_halves()
    x = torch.randn(1, 8, 8, 8)
    changed = x.clone()
    changed[:, 0, 0, 0] += 3
    moved = (nlm(changed, labels) - nlm(x, labels)).abs().amax(dim=1)[0]
    assert moved[7, 0] > 1e-6
    assert moved[:, 4:].max() == 0


def test_unlabelled_is_a_class_of_its_own() -> None:
    nlm, labels = NLM(8, 100).eval(), two_halves()
    labels[labels == 3] = 0
    x = torch.randn(1, 8, 8, 8)
    changed = torch.where(labels[:, None] == 0, x + 1, x)
    assert torch.equal(nlm(x, labels)[..., :4], nlm(changed, labels)[..., :4])


def test_nlm_never_mixes_two_images_of_a_batch() -> None:
    nlm, labels = NLM(8, 6).eval(), two_halves().repeat(2, 1, 1)
    x = torch.randn(2, 8, 8, 8)
    torch.testing.assert_close(nlm(x, labels)[1:], nlm(x[1:], labels[1:]))


def test_groups_cover_every_position_once_and_sample_within() -> None:
    labels = torch.randint(0, 5, (2, 12, 10), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    groups = class_groups(labels, keys=7)
    members = torch.cat([group.members for group in groups])
    assert torch.equal(members.sort().values, torch.arange(240))
    for group in groups:
        assert len(group.keys) == min(7, len(group.members))
        assert torch.isin(group.keys, group.members).all()
        assert len(labels.flatten()[group.members].unique()) == 1
        assert len((group.members // 120).unique()) == 1


def test_sampled_keys_repeat_and_spread_over_rows_and_columns() -> None:
    labels = torch.ones(1, 96, 100, dtype=torch.uint8)
    first, second = class_groups(labels, 64)[0].keys, class_groups(labels, 64)[0].keys
    assert torch.equal(first, second)
    assert len(first.unique()) == 64
    for place, cells in ((first // 100, 96), (first % 100, 100)):
        quarters = torch.bincount(place * 4 // cells, minlength=4)
        assert quarters.min() >= 8, "a step in phase with the image's width would leave columns out"


def test_same_class_convolution_is_a_plain_one_where_there_is_one_class() -> None:
    conv, x = conv3x3(5, 6), torch.randn(2, 5, 7, 9)
    torch.testing.assert_close(same_class_conv3x3(x, conv, torch.full((2, 7, 9), 4)), conv(x))


def test_same_class_convolution_is_each_class_convolved_alone() -> None:
    conv, x, labels = conv3x3(5, 6), torch.randn(1, 5, 8, 8), two_halves()
    out = same_class_conv3x3(x, conv, labels)
    for value in (1, 3):
        mask = (labels == value)[:, None]
        alone = conv(x * mask)
        torch.testing.assert_close(out * mask, alone * mask)


def test_eq6_is_two_residual_steps() -> None:
    x = torch.randn(1, 2, 3, 3)
    out = nlm_eq6(x, lambda f: 2 * f, lambda f: f + 1, lambda f: f * f)
    middle = 2 * x + 1 + x
    torch.testing.assert_close(out, middle * middle + middle)


def test_layer_norm_is_over_channels() -> None:
    x = torch.randn(2, 16, 3, 5) * 4 + 2
    out = LayerNorm(16)(x)
    torch.testing.assert_close(out.mean(dim=1), torch.zeros(2, 3, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(dim=1, unbiased=False), torch.ones(2, 3, 5), atol=1e-3, rtol=0)


def test_qem_has_exact_gelu_and_is_residual() -> None:
    qem = QEM(8, 4)
    assert [m.approximate for m in qem.modules() if isinstance(m, nn.GELU)] == ["none"]
    x = torch.randn(1, 8, 6, 6)
    convolution = qem.body[2]
    torch.nn.init.zeros_(convolution.weight)
    torch.nn.init.zeros_(convolution.bias)
    assert torch.equal(qem(x), x)


def run(post: PostEnhancement, height: int, width: int, **changed: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    inputs = {
        "compressed": torch.rand(2, 3, height, width, generator=generator),
        "enhanced": torch.rand(2, 3, height, width, generator=generator),
        "features": torch.randn(2, 7, height, width, generator=generator),
        "labels": torch.randint(0, 5, (2, height, width), generator=generator).to(torch.uint8),
        "condition": torch.randn(2, 12, generator=generator),
    }
    out: torch.Tensor = post(**(inputs | changed))
    return out


@pytest.mark.parametrize(("height", "width"), [(16, 24), (13, 18), (2, 5)])
def test_untrained_network_returns_the_enhanced_image_at_any_size(height: int, width: int) -> None:
    enhanced = torch.rand(2, 3, height, width)
    assert torch.equal(run(PostEnhancement(TINY, 7), height, width, enhanced=enhanced), enhanced)


def awake() -> PostEnhancement:
    post = PostEnhancement(TINY, 7)
    nn.init.normal_(post.tail.weight)
    for know in post.know:
        nn.init.normal_(know.perceptron[2].weight)
    return post


@pytest.mark.parametrize("name", ["compressed", "enhanced", "features", "labels", "condition"])
def test_every_input_counts(name: str) -> None:
    post = awake().eval()
    other = {
        "compressed": torch.rand(2, 3, 16, 16),
        "enhanced": torch.rand(2, 3, 16, 16),
        "features": torch.randn(2, 7, 16, 16),
        "labels": torch.ones(2, 16, 16, dtype=torch.uint8),
        "condition": torch.randn(2, 12),
    }[name]
    assert not torch.allclose(run(post, 16, 16), run(post, 16, 16, **{name: other}))


def test_gradients_reach_every_parameter() -> None:
    post = awake()
    run(post, 16, 16).square().mean().backward()
    # A key's bias shifts every score of a query alike, which the softmax takes out again.
    still = {name for name, p in post.named_parameters() if p.grad is None or p.grad.abs().max() == 0}
    assert still <= {"nlm.attention.key.bias"}
