"""The terrain network, of SegFormer's kind (Xie et al., 2021): scales of an encoder, attention, an all-MLP decoder.

The encoder is EfficientNet-Lite0 (Tan and Le, 2019), whose ImageNet weights are the start of training; its batch
normalisation is folded into the convolutions. Attention works where it is cheap: on the two coarse scales.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from marsqe.terrain import CLASSES

STRIDE: Final = 32
"""Coarsest scale; inputs are extended to a multiple of it inside the network."""


class Stage(NamedTuple):
    """``repeat`` inverted bottlenecks; the first of them has the stride and changes the width."""

    kernel: int
    stride: int
    expand: int
    width: int
    repeat: int
    tap: bool
    """Whether the decoder (and attention) sees this stage's output."""


LITE0: Final = (
    Stage(3, 1, 1, 16, 1, False),
    Stage(3, 2, 6, 24, 2, True),
    Stage(5, 2, 6, 40, 2, True),
    Stage(3, 2, 6, 80, 3, False),
    Stage(5, 1, 6, 112, 3, True),
    Stage(5, 2, 6, 192, 4, False),
    Stage(3, 1, 6, 320, 1, True),
)
"""EfficientNet-Lite0, without its classifier; taps at 1/4, 1/8, 1/16 and 1/32."""


@dataclass(frozen=True)
class SegFormerConfig:
    """Sizes of the network; the defaults are those of the bundled weights."""

    stem: int = 32
    stages: tuple[Stage, ...] = LITE0
    width: int = 96
    """Common width of the decoder."""
    attention: tuple[int, ...] = (0, 0, 1, 2)
    """Attention blocks per tapped scale."""
    heads: int = 4
    attention_width: int = 128
    reduction: tuple[int, ...] = (1, 1, 2, 1)
    """By how much keys and values are reduced in each direction, per tapped scale."""
    dropout: float = 0.1

    @classmethod
    def from_card(cls, settings: dict[str, Any]) -> SegFormerConfig:
        """The configuration that a model card holds; the inverse of ``dataclasses.asdict``, by way of JSON."""
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
        plain["stages"] = tuple(Stage(*stage) for stage in plain["stages"])
        return cls(**plain)


class SameConv(nn.Conv2d):
    """Convolution that pads as TensorFlow's "SAME" does for even inputs: at stride 2 more to the right and bottom."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2 if stride == 1 else 0, groups=groups)
        self.before, self.after = (kernel - stride) // 2, (kernel - stride + 1) // 2

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if self.stride[0] > 1:
            x = F.pad(x, (self.before, self.after, self.before, self.after))
        return super().forward(x)


class Pointwise(nn.Conv2d):
    """1x1 convolution done as a matrix product, which is several times faster on one processor core."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


class Bottleneck(nn.Module):
    """Inverted bottleneck: widen, filter each channel, narrow; added to the input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        middle = inputs * expand
        self.expand = Pointwise(inputs, middle) if expand > 1 else None
        self.depthwise = SameConv(middle, middle, kernel, stride, groups=middle)
        self.project = Pointwise(middle, outputs)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.skip else y


class Encoder(nn.Module):
    """Image to features at every tapped scale, finest first."""

    def __init__(self, config: SegFormerConfig) -> None:
        super().__init__()
        self.stem = SameConv(3, config.stem, 3, 2)
        self.stages = nn.ModuleList()
        self.taps = [stage.tap for stage in config.stages]
        width = config.stem
        for stage in config.stages:
            blocks = []
            for index in range(stage.repeat):
                blocks.append(
                    Bottleneck(width, stage.width, stage.kernel, stage.stride if index == 0 else 1, stage.expand)
                )
                width = stage.width
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> list[Tensor]:  # noqa: D102
        x = F.relu6(self.stem(x))
        features = []
        for stage, tap in zip(self.stages, self.taps, strict=True):
            x = stage(x)
            if tap:
                features.append(x)
        return features


class EfficientAttention(nn.Module):
    """Multi-head self-attention whose keys and values come from a grid reduced by a strided convolution."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.reduce = nn.Conv2d(width, width, reduction, reduction) if reduction > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Attend over a map (B, H, W, C) and return one of the same shape."""
        b, h, w, c = x.shape
        grid = self.reduce(x.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
        key, value = self.key_value(grid).view(b, -1, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        query = self.query(x).view(b, h * w, self.heads, -1).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.out(mixed.transpose(1, 2).reshape(b, h, w, c))


class MixFFN(nn.Module):
    """Perceptron with a 3x3 depthwise convolution inside, which tells positions apart: no positional code is needed."""

    def __init__(self, width: int, expand: int = 2) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(width, width * expand), nn.Linear(width * expand, width)
        self.depthwise = nn.Conv2d(width * expand, width * expand, 3, padding=1, groups=width * expand)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, C) to the same shape."""
        y = self.depthwise(self.enter(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.leave(F.gelu(y))


class AttentionBlock(nn.Module):
    """Pre-normalised attention and Mix-FFN, both residual."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.norm_attention, self.norm_ffn = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = EfficientAttention(width, heads, reduction)
        self.ffn = MixFFN(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, C) to the same shape."""
        x = x + self.attention(self.norm_attention(x))
        return x + self.ffn(self.norm_ffn(x))


class Context(nn.Module):
    """One scale on its way to the decoder: brought to a width and, on coarse scales, attended over."""

    def __init__(self, inputs: int, depth: int, reduction: int, config: SegFormerConfig) -> None:
        super().__init__()
        self.enter = Pointwise(inputs, config.attention_width) if depth else nn.Identity()
        self.blocks = nn.Sequential(
            *(AttentionBlock(config.attention_width, config.heads, reduction) for _ in range(depth))
        )
        self.width = config.attention_width if depth else inputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, width, H, W)."""
        return self.blocks(self.enter(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2) if len(self.blocks) else x


class Decoder(nn.Module):
    """All-MLP decoder: scales to a common width, upsampled to the finest, fused, classified.

    SegFormer concatenates the upsampled scales and fuses them by a linear layer. Linear layers and upsampling
    commute, so that each scale goes through its part of that layer first and the upsampled results are added:
    the same function at a quarter of the cost.
    """

    def __init__(self, widths: list[int], config: SegFormerConfig) -> None:
        super().__init__()
        self.project = nn.ModuleList(Pointwise(width, config.width) for width in widths)
        self.norm = nn.BatchNorm2d(config.width)
        self.refine = nn.Conv2d(config.width, config.width, 3, padding=1, groups=config.width)
        self.mix = Pointwise(config.width, config.width)
        self.dropout = nn.Dropout2d(config.dropout)
        self.classify = Pointwise(config.width, len(CLASSES))

    def forward(self, features: list[Tensor]) -> Tensor:
        """Map the scales to logits (B, classes, H / 4, W / 4)."""
        size = features[0].shape[-2:]
        fused = self.project[0](features[0])
        for project, x in zip(self.project[1:], features[1:], strict=True):
            fused = fused + F.interpolate(project(x), size, mode="bilinear", align_corners=False)
        fused = F.relu(self.norm(fused))
        fused = F.relu(self.mix(self.refine(fused)) + fused)
        return self.classify(self.dropout(fused))


class SegFormer(nn.Module):
    """Terrain of an image: (B, 3, H, W) with values 0-1 to logits (B, 4, H, W), classes in the order of ``CLASSES``."""

    def __init__(self, config: SegFormerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SegFormerConfig()
        self.encoder = Encoder(config)
        taps = [stage.width for stage in config.stages if stage.tap]
        self.context = nn.ModuleList(
            Context(width, depth, reduction, config)
            for width, depth, reduction in zip(taps, config.attention, config.reduction, strict=True)
        )
        self.decoder = Decoder([context.width for context in self.context], config)  # type: ignore[misc]

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        height, width = x.shape[-2:]
        x = F.pad(x, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        x = x * (255 / 128) - 127 / 128
        features = [context(f) for context, f in zip(self.context, self.encoder(x), strict=True)]
        logits = F.interpolate(self.decoder(features), scale_factor=4.0, mode="bilinear", align_corners=False)
        return logits[..., :height, :width]
