"""How rivals begin to learn, so that a short training is worth as much to them as to ours.

The papers' networks are plain stacks of convolutions and ReLU. With the initialization that torch gives by default
their features shrink from layer to layer, and little reaches the first ones in a short training; marsqe-swift has
residual blocks and begins as the identity.
"""

from __future__ import annotations

from torch import nn

_LAST = ("tail", "tails")


def begin(network: nn.Module) -> None:
    """Initialize a rival as He et al. (ICCV 2015) do for ReLU, and as the identity where it predicts what is missing.

    Changes the network in place.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    for last in last_convolutions(network):
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)


def last_convolutions(network: nn.Module) -> list[nn.Conv2d]:
    """The convolutions whose output is added to the image; none where a network predicts the image itself."""
    found = []
    if getattr(network, "residual", False):  # AR-CNN
        found.append(network.reconstruct)
    for name, module in network.named_children():
        if name in _LAST:
            exits = module if isinstance(module, nn.ModuleList) else [module]
            found += [[m for m in part.modules() if isinstance(m, nn.Conv2d)][-1] for part in exits]
    return [module for module in found if isinstance(module, nn.Conv2d)]
