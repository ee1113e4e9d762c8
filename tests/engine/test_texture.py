"""Equations 2-5: what TEM finds and what TFM does with it."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from marsqe.networks.attention import SAM, ChannelAttention, ChannelAttentionBlock
from marsqe.networks.texture import (
    TEM,
    TFM,
    fold_blocks,
    fuse_eq5,
    relevance_eq2_3,
    transfer_eq4,
    unfold_blocks,
)


def features(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (8, 20), (13, 18), (3, 1)])
def test_folding_undoes_unfolding_at_any_size(height: int, width: int) -> None:
    x = features(2, 5, height, width)
    blocks = unfold_blocks(x, 4)
    assert blocks.shape == (2, -(-height // 4) * -(-width // 4), 5 * 16)
    assert torch.equal(fold_blocks(blocks, 4, height, width), x)


def test_a_block_is_a_block_of_neighbours() -> None:
    x = features(1, 2, 8, 12)
    second_row_first_block = unfold_blocks(x, 4)[0, 3]
    assert torch.equal(second_row_first_block.reshape(2, 4, 4), x[0, :, 4:8, 0:4])


def test_tem_with_the_input_as_reference_returns_the_inputs_own_blocks() -> None:
    x = features(2, 6, 16, 24)
    transferred, similarity = TEM(4)(x, x, x)
    indices, _ = relevance_eq2_3(unfold_blocks(x, 4), unfold_blocks(x, 4))
    assert torch.equal(indices, torch.arange(24).expand(2, -1))
    torch.testing.assert_close(similarity, torch.ones(2, 4, 6))
    torch.testing.assert_close(transferred, x)


def test_tem_follows_a_shuffled_reference_and_ignores_its_scale() -> None:
    query = features(1, 10, 32)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(3))
    indices, similarities = relevance_eq2_3(query, 7.5 * query[:, order])
    assert torch.equal(order[indices[0]], torch.arange(10))
    torch.testing.assert_close(similarities, torch.ones(1, 10))


def test_relevance_agrees_with_the_definition() -> None:
    query, key = features(2, 7, 12), features(2, 9, 12, seed=1)
    table = F.cosine_similarity(query[:, :, None], key[:, None], dim=3)
    indices, similarities = relevance_eq2_3(query, key)
    assert torch.equal(indices, table.argmax(dim=2))
    torch.testing.assert_close(similarities, table.amax(dim=2))


def test_a_block_of_zeros_is_similar_to_nothing() -> None:
    _, similarities = relevance_eq2_3(torch.zeros(1, 3, 8), features(1, 5, 8))
    assert torch.equal(similarities, torch.zeros(1, 3))


def test_transfer_takes_the_indexed_block_times_its_similarity() -> None:
    values = features(1, 3, 4)
    out = transfer_eq4(values, torch.tensor([[2, 0]]), torch.tensor([[0.5, -1.0]]))
    torch.testing.assert_close(out, torch.stack([values[0, 2] * 0.5, -values[0, 0]])[None])


def test_transfer_takes_raw_texture_not_the_key() -> None:
    key, raw = features(1, 4, 8, 8), features(1, 4, 8, 8, seed=1)
    transferred, _ = TEM(4)(key, key, raw)
    torch.testing.assert_close(transferred, raw)


def test_relevance_stays_in_full_precision_under_autocast() -> None:
    # Keys so alike that bfloat16, with eight bits, cannot tell which one is the query.
    query = features(1, 200, 64)
    key = query + 2e-3 * features(1, 200, 64, seed=1)
    near = torch.cat([query[:, :1] + 1e-3 * features(1, 199, 64, seed=2), query[:, :1]], dim=1)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = torch.matmul(F.normalize(query[:, :1], dim=2), F.normalize(near, dim=2).mT)[0, 0]
        indices, similarities = relevance_eq2_3(query[:, :1], near)
        every, _ = relevance_eq2_3(query, key)
    assert rounded.dtype == torch.bfloat16
    assert (rounded == rounded.max()).sum() > 1, "the case is too easy to tell anything"
    assert indices.item() == 199
    assert similarities.dtype == torch.float32
    assert torch.equal(every[0], torch.arange(200))


def test_tem_passes_gradients_to_query_key_and_value() -> None:
    query, key, value = (features(1, 4, 8, 8, seed=s).requires_grad_() for s in range(3))
    TEM(4)(query, key, value)[0].square().sum().backward()
    for tensor in (query, key, value):
        assert tensor.grad is not None
        assert tensor.grad.abs().sum() > 0


def test_tfm_with_zero_attention_is_a_convolution_of_the_decoded_features() -> None:
    tfm = TFM(8, 4)
    transferable, decoded = features(2, 8, 6, 6), features(2, 8, 6, 6, seed=1)
    out = fuse_eq5(transferable, decoded, tfm.project, lambda x: torch.zeros(2, 8, 1, 1), tfm.fuse)
    assert torch.equal(out, tfm.fuse(decoded))
    # The module itself, its attention closed by a bias that the sigmoid takes to zero.
    torch.nn.init.zeros_(tfm.attention.excite.weight)
    torch.nn.init.constant_(tfm.attention.excite.bias, -200.0)
    assert torch.equal(tfm(transferable, decoded), tfm.fuse(decoded))


def test_tfm_with_full_attention_forgets_the_decoded_features() -> None:
    tfm = TFM(8, 4)
    torch.nn.init.zeros_(tfm.attention.excite.weight)
    torch.nn.init.constant_(tfm.attention.excite.bias, 200.0)
    transferable, decoded = features(1, 8, 6, 6), features(1, 8, 6, 6, seed=1)
    torch.testing.assert_close(tfm(transferable, decoded), tfm.fuse(tfm.project(transferable)), atol=1e-5, rtol=1e-5)


def test_channel_attention_weighs_whole_channels() -> None:
    attention = ChannelAttention(6, 2)
    x = features(2, 6, 5, 7)
    weights = attention.weights(x)
    assert weights.shape == (2, 6, 1, 1)
    assert 0 < weights.min() <= weights.max() < 1
    torch.testing.assert_close(attention(x) / x, weights.expand_as(x))
    torch.testing.assert_close(attention.weights(x.flip(3)), weights)


def test_channel_attention_block_is_residual() -> None:
    block = ChannelAttentionBlock(4, 2)
    x = features(1, 4, 8, 8)
    assert not torch.equal(block(x), x)
    torch.nn.init.zeros_(block.body[2].weight)
    assert torch.equal(block(x), x)


def test_sam_starts_at_its_input_and_its_image_steers_the_features() -> None:
    sam = SAM(8)
    decoded, compressed = features(1, 8, 6, 6), torch.rand(1, 3, 6, 6)
    before = sam(decoded, compressed)
    assert torch.equal(before.image, compressed)
    torch.nn.init.normal_(sam.to_image.weight)
    after = sam(decoded, compressed)
    torch.testing.assert_close(after.image, compressed + sam.to_image(decoded))
    assert not torch.allclose(after.features, before.features)
