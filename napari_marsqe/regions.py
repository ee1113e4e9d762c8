"""Rectangles of an image: all of it, what is on the screen, or the tiles that were selected."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from marsqe.errors import SettingError
from marsqe.results import Region
from napari_marsqe import layers as conventions
from napari_marsqe.session import Case

WHOLE, VISIBLE, TILES = "whole", "visible", "tiles"
CHOICES: Final = (
    ("The whole image", WHOLE),
    ("Only what is visible", VISIBLE),
    ("Only the selected tile(s)", TILES),
)


def region_of(choice: str, viewer: Any, case: Case) -> Region | None:
    """The rectangle that a choice stands for at this moment; None for the whole image.

    Raises
    ------
    SettingError
        If nothing of the image is visible, or no tile is selected.
    """
    if choice == VISIBLE:
        return visible_region(viewer, case)
    if choice == TILES:
        return selected_region(case)
    return None


def visible_region(viewer: Any, case: Case) -> Region | None:
    """The part of a case's image that the canvas shows, or each canvas of a comparison; None if that is all of it."""
    if viewer.dims.ndisplay != 2:
        raise SettingError("the view is three-dimensional; switch napari back to 2D to enhance what is visible")
    camera, size = viewer.scene.camera, np.asarray(viewer.canvas.viewbox_size(viewer.layers), float)
    centre, half = np.asarray(camera.center, float)[-2:], size / 2 / camera.zoom
    corners = np.sort([case.source.world_to_data(centre + side * half)[-2:] for side in (-1, 1)], axis=0)
    # Pixel 0 covers -0.5 to 0.5; one that is cut by the canvas' edge is visible.
    low = np.clip(np.floor(corners[0] + 0.5), 0, None).astype(int)
    high = np.clip(np.ceil(corners[1] + 0.5), None, case.image.shape).astype(int)
    (top, left), (height, width) = low.tolist(), (high - low).tolist()
    if height < 1 or width < 1:
        raise SettingError("nothing of the image is visible; move the view onto it, or enhance the whole image")
    return None if (height, width) == case.image.shape else Region(left, top, width, height)


def looked_at(viewer: Any, case: Case) -> Region | None:
    """What of a case's image is on the screen, to be done first; None where all of it is, or nothing."""
    try:
        return visible_region(viewer, case)
    except SettingError:
        return None


def selected_region(case: Case) -> Region:
    """The rectangle that the selected tiles span."""
    if case.selected is None or conventions.TILE_MARK not in case.layers:
        raise SettingError("no tile is selected; click one in the image first, and more with Shift")
    (top, left), (bottom, right) = case.selected
    last = conventions.tile_region(case.image.shape, bottom, right)
    first = conventions.tile_region(case.image.shape, top, left)
    return Region(first.x, first.y, last.x + last.width - first.x, last.y + last.height - first.y)
