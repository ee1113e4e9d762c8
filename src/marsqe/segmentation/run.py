"""Terrain of an image, as a generator of progress or in one call."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import DeviceMemoryError, WeightsError
from marsqe.image import MarsImage, Pixels
from marsqe.progress import Progress, Steps, run
from marsqe.segmentation.prepare import VIEWS, resized, stretch_limits, stretched, to_rgb8, view_size, working_size
from marsqe.segmentation.windows import Blend, corners, window_probabilities
from marsqe.terrain import CLASSES, Terrain
from marsqe.weights import load_weights, read_card

if TYPE_CHECKING:
    import torch
    from torch import nn

WEIGHTS = "marsqe-terrain"


def segment(image: MarsImage, device: str = "auto") -> Terrain:
    """Label every pixel of an image as sky, sand, soil or rock.

    Parameters
    ----------
    image : MarsImage
        Gray or colour, 8 or 16 bit, of any size. It is reduced to a short side of at most 640 pixels, its contrast
        stretched between the 1st and 99th percentile of its brightness, and seen at two sizes around that one.
    device : str
        "auto" (a GPU where there is one), "cpu", "cuda" or "mps".

    Returns
    -------
    Terrain
        ``labels`` (H, W) uint8, 1-4, and ``probabilities`` (4, H, W) float32 that sum to 1.

    Raises
    ------
    WeightsError
        If the bundled weights are missing or damaged.
    SettingError, DeviceError
        If ``device`` is not one of these names, or the machine has no such device, or not enough memory on it.
    """
    return run(segment_steps(image, device))


def segment_steps(image: MarsImage, device: str = "auto") -> Steps[Terrain]:
    """As :func:`segment`, one window of the working resolution at a time; leaving the generator cancels."""
    import torch

    from marsqe.devices import resolve_device

    chosen = resolve_device(device)
    try:
        network = terrain_network(str(chosen))
        probabilities = yield from probability_steps(network, image.pixels, chosen)
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(
            "the device ran out of memory while recognising the terrain; close other programs that use it, or choose "
            "the CPU as device"
        ) from error
    source = f"{WEIGHTS} {read_card(WEIGHTS)['weights_sha256'][:12]}"
    return Terrain((probabilities.argmax(axis=0) + 1).astype(np.uint8), probabilities, source)


def class_probabilities(network: nn.Module, pixels: Pixels, device: torch.device) -> NDArray[np.float32]:
    """Class probabilities (4, H, W) of pixels by a given network."""
    return run(probability_steps(network, pixels, device))


def probability_steps(network: nn.Module, pixels: Pixels, device: torch.device) -> Steps[NDArray[np.float32]]:
    """Class probabilities (4, H, W) of pixels, at the resolution of the pixels, window by window.

    The mean of what the network says of the image at each of ``VIEWS``.
    """
    size = working_size(*pixels.shape[:2])
    small = resized(to_rgb8(pixels), size)
    views = [view_size(size, factor) for factor in VIEWS]
    total = sum(len(corners(*view)) for view in views)
    yield Progress("Recognising terrain", 0, total)
    mean = np.zeros((len(CLASSES), *size), np.float32)
    done = 0
    for view in views:
        seen = resized(small, view)
        blend = Blend(*view)
        for y, x, found in window_probabilities(network, stretched(seen, stretch_limits(seen)), device):
            blend.add(y, x, found)
            done += 1
            yield Progress("Recognising terrain", done, total)
        mean += upsampled(blend.mean(), size) / np.float32(len(views))
    return upsampled(mean, pixels.shape[:2])


def upsampled(probabilities: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Probabilities (4, h, w) at another size (height, width), bilinear; they still sum to 1."""
    import torch
    from torch.nn import functional as F

    if probabilities.shape[1:] == size:
        return probabilities
    enlarged = size[0] < probabilities.shape[1]  # small images were segmented larger than they are
    planes = torch.from_numpy(probabilities)[None]
    with torch.inference_mode():
        return F.interpolate(planes, size, mode="bilinear", align_corners=False, antialias=enlarged)[0].numpy()


@lru_cache(maxsize=2)
def terrain_network(device: str) -> nn.Module:
    """The bundled network on a device, ready to use; loaded once.

    Raises
    ------
    WeightsError
        If the weights are missing, damaged, or of another network.
    """
    import torch

    from marsqe.networks.build import with_weights
    from marsqe.networks.segformer import SegFormer, SegFormerConfig

    weights = load_weights(WEIGHTS)
    try:
        config = SegFormerConfig.from_card(read_card(WEIGHTS)["config"])
        network = with_weights(lambda: SegFormer(config), weights)
    except Exception as error:  # a damaged card leads to errors of any kind
        raise WeightsError(f"The weights of '{WEIGHTS}' belong to another network. Reinstall napari-marsqe.") from error
    network.eval().requires_grad_(False)
    return network.to(device=torch.device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
