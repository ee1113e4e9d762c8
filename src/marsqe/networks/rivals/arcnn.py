"""AR-CNN, the first network against compression artifacts: extraction, enhancement, mapping, reconstruction.

C. Dong, Y. Deng, C. C. Loy, X. Tang, "Compression Artifacts Reduction by a Deep Convolutional Network", ICCV 2015.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ARCNN(nn.Module):
    """Four convolutions, 64 features of 9x9, 32 of 7x7, 16 of 1x1, and the image by 5x5.

    Departures from the paper: borders are padded with zeros, so that the image keeps its size; three channels
    where the paper enhances luma.

    Parameters
    ----------
    channels : int
        Of the image; the paper's network has one.
    residual : bool
        Add the input to the output. The paper's network predicts the image itself (False); later reimplementations,
        among them the framework of the authors of RBQE and DAQE, let it predict what is missing (True).
    """

    def __init__(self, channels: int = 3, *, residual: bool = False) -> None:
        super().__init__()
        self.residual = residual
        self.extract = nn.Conv2d(channels, 64, 9, padding=4)
        self.improve = nn.Conv2d(64, 32, 7, padding=3)
        self.map = nn.Conv2d(32, 16, 1)
        self.reconstruct = nn.Conv2d(16, channels, 5, padding=2)

    def forward(self, compressed: Tensor, condition: Tensor | None = None) -> Tensor:
        """Compressed (B, C, H, W) in 0-1 to enhanced, same shape, float32, not clipped; ``condition`` is not used."""
        features = torch.relu(self.extract(compressed))
        features = torch.relu(self.map(torch.relu(self.improve(features))))
        out: Tensor = self.reconstruct(features).float()
        return compressed + out if self.residual else out
