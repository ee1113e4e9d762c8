"""Padding, cutting into tiles and putting together."""

from __future__ import annotations

import torch
from torch import Tensor


def _mirror(length: int, size: int, device: torch.device) -> Tensor:
    index = torch.arange(size, device=device)
    if length == 1:
        return torch.zeros_like(index)
    period = 2 * (length - 1)
    folded = index % period
    return torch.minimum(folded, period - folded)


def reflect_to(x: Tensor, height: int, width: int) -> Tensor:
    """Grow (B, C, H, W) at the bottom and right to a size, by reflection about the last row and column.

    Any dtype, and unlike ``torch.nn.functional.pad`` any amount: short images are mirrored again and again.
    """
    if x.shape[2] < height:
        x = x.index_select(2, _mirror(x.shape[2], height, x.device))
    if x.shape[3] < width:
        x = x.index_select(3, _mirror(x.shape[3], width, x.device))
    return x


def split_tiles(image: Tensor, side: int) -> Tensor:
    """Cut (B, C, H, W) into tiles (B rows columns, C, side, side), row by row, the border padded by reflection."""
    b, c, h, w = image.shape
    rows, columns = -(-h // side), -(-w // side)
    padded = reflect_to(image, rows * side, columns * side)
    tiles = padded.reshape(b, c, rows, side, columns, side).permute(0, 2, 4, 1, 3, 5)
    return tiles.reshape(b * rows * columns, c, side, side)


def join_tiles(tiles: Tensor, height: int, width: int) -> Tensor:
    """Put tiles back to (B, C, height, width), the padding cut off; the inverse of :func:`split_tiles`."""
    count, c, side, _ = tiles.shape
    rows, columns = -(-height // side), -(-width // side)
    grid = tiles.reshape(count // (rows * columns), rows, columns, c, side, side).permute(0, 3, 1, 4, 2, 5)
    return grid.reshape(-1, c, rows * side, columns * side)[:, :, :height, :width]
