"""Loss of the terrain network on targets that know more or less: a class, "anything but rock", or nothing."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from marsqe.train.terrain_data import NOT_ROCK, ROCK

WEIGHTS: Final = (1.0, 1.2, 1.0, 1.2, 1.0)
"""Weight of a pixel per target: sky, sand, soil, rock, anything but rock."""

JACCARD_SHARE: Final = 0.4


def terrain_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Weighted cross-entropy plus soft Jaccard loss, over the pixels that are not ignored.

    Parameters
    ----------
    logits : Tensor of float, shape (B, 4, H, W)
    target : Tensor of int, shape (B, H, W)
        Class 0-3, ``NOT_ROCK`` or ``IGNORE``.

    Returns
    -------
    Tensor
        Scalar; 0 where everything is ignored.
    """
    logs = F.log_softmax(logits.float(), dim=1)
    return cross_entropy(logs, target) + JACCARD_SHARE * soft_jaccard(logs.exp(), target)


def cross_entropy(logs: Tensor, target: Tensor) -> Tensor:
    """Mean of -log p(target); for ``NOT_ROCK`` p is the sum over all other classes."""
    rest = torch.cat([logs[:, :ROCK], logs[:, ROCK + 1 :]], dim=1).logsumexp(dim=1, keepdim=True)
    known = target <= NOT_ROCK
    index = torch.where(known, target, 0)
    picked = torch.cat([logs, rest], dim=1).gather(1, index[:, None])[:, 0]
    weights = torch.tensor(WEIGHTS, device=logs.device)[index] * known
    return -(picked * weights).sum() / weights.sum().clamp(min=1)


def soft_jaccard(probabilities: Tensor, target: Tensor) -> Tensor:
    """One minus the soft intersection over union, mean over the classes that occur among fully labelled pixels."""
    known = (target < NOT_ROCK)[:, None]
    truth = torch.zeros_like(probabilities).scatter_(1, torch.where(known[:, 0], target, 0)[:, None], 1.0) * known
    claimed = probabilities * known
    both = (truth * claimed).sum(dim=(0, 2, 3))
    either = (truth + claimed).sum(dim=(0, 2, 3)) - both
    present = truth.sum(dim=(0, 2, 3)) > 0
    losses = 1 - (both + 1) / (either + 1)
    return losses[present].sum() / present.sum().clamp(min=1)
