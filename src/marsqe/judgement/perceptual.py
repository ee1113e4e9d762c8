"""LPIPS: perceptual distance between features of AlexNet, over bundled parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from marsqe.colour import as_rgb
from marsqe.image import Pixels
from marsqe.judgement.pairs import peak_of
from marsqe.judgement.parameters import parameter_bytes

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST: Final = 31
"""Shortest side in pixels that leaves the last layers anything."""

# AlexNet's convolutions: index among its layers, stride, padding, whether the input is max-pooled before.
_LAYERS: Final = ((0, 4, 2, False), (3, 1, 2, True), (6, 1, 1, True), (8, 1, 1, False), (10, 1, 1, False))
# Mean and deviation of the channels that the features expect, for RGB in -1 to 1.
_SHIFT: Final = (-0.030, -0.088, -0.188)
_SCALE: Final = (0.458, 0.448, 0.450)


def lpips(image: Pixels, truth: Pixels) -> float:
    """LPIPS v0.1 with AlexNet (Zhang et al. 2018): 0 for equal images, larger is further apart.

    The parameters are stored in half precision and computed with in float32, which moves scores by less than 0.0005.

    Parameters
    ----------
    image, truth : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        Non-linear (display) RGB; gray is repeated over the channels. The data range of 0 to 255 or 65535 is mapped to
        -1 to 1.

    Returns
    -------
    float
        NaN for images with a side under 31 pixels.

    Raises
    ------
    SettingError
        If shapes or dtypes differ.
    WeightsError
        If the bundled parameters are missing or damaged.
    """
    return lpips_to(truth)(image)


def lpips_to(truth: Pixels) -> Callable[[Pixels], float]:
    """LPIPS of any number of images to one truth, whose features are computed once; see :func:`lpips`."""
    kept: list[list[Tensor]] = []

    def to(image: Pixels) -> float:
        top = peak_of(image, truth)
        if min(image.shape[:2]) < SMALLEST:
            return float("nan")
        import torch

        weights = _weights()
        with torch.inference_mode():
            if not kept:
                kept.append([_unit(layer) for layer in _features(_prepare(truth, top), weights)])
            pairs = zip(_features(_prepare(image, top), weights), kept[0], strict=True)
            # One layer after the other: each is weighted over its channels, averaged over its positions, and summed.
            return sum(
                float(((_unit(a) - b).square() * weights[f"lin{n}.model.1.weight"][0]).sum(dim=0).mean())
                for n, (a, b) in enumerate(pairs)
            )

    return to


@cache
def _weights() -> dict[str, Tensor]:
    from safetensors.torch import load

    return {name: tensor.float() for name, tensor in load(parameter_bytes("lpips-alex.safetensors")).items()}


def _prepare(pixels: Pixels, top: int) -> Tensor:
    import torch

    rgb = torch.from_numpy(np.ascontiguousarray(np.moveaxis(as_rgb(pixels), 2, 0), dtype=np.float32))
    shift, scale = (torch.tensor(values)[:, None, None] for values in (_SHIFT, _SCALE))
    return (rgb * (2 / top) - 1 - shift) / scale


def _features(x: Tensor, weights: dict[str, Tensor]) -> list[Tensor]:
    from torch.nn import functional as F

    layers = []
    for index, stride, padding, pooled in _LAYERS:
        x = F.max_pool2d(x, 3, 2) if pooled else x
        kernel, bias = (weights[f"features.{index}.{part}"] for part in ("weight", "bias"))
        x = F.relu(F.conv2d(x, kernel, bias, stride, padding))
        layers.append(x)
    return layers


def _unit(x: Tensor) -> Tensor:
    """Feature vector of every position, divided by its length."""
    return x / (x.square().sum(dim=0, keepdim=True).sqrt() + 1e-10)
