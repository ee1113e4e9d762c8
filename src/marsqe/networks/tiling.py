"""How an image may be cut for each network. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TileRule:
    """How an image may be cut for a network. Tiles always start on the JPEG grid.

    Attributes
    ----------
    side : int or None
        The only side of a tile in pixels; None where any will do.
    multiple : int
        Tile sides and origins are multiples of this.
    halo : int
        Pixels of context around a tile that make its result equal to the whole image's.
    """

    side: int | None
    multiple: int
    halo: int


def swift_tile(config: Mapping[str, Any]) -> TileRule:
    """Any side; so much context that a pixel of marsqe-swift cannot tell a window from the whole image."""
    unshuffle = int(config["unshuffle"])
    (fine_in, mid_in), (fine_out, mid_out) = config["encoder"], config["decoder"]
    # Reach of the 3x3 convolutions, two a block, each one feature wide; plus where in a coarse feature a pixel lies.
    reach = unshuffle * (2 + 2 * (fine_in + fine_out) + 4 * (mid_in + mid_out) + 8 * config["middle"])
    multiple = max(8, 4 * unshuffle)
    return TileRule(side=None, multiple=multiple, halo=-(-(reach + multiple - 1) // multiple) * multiple)


def swift_ref_tile(config: Mapping[str, Any]) -> TileRule:
    """The same for marsqe-swift-ref, which moreover needs whole tiles."""
    trunk, tile = config["trunk"], 128
    unshuffle = int(trunk["unshuffle"])
    # Two convolutions of TFM at each level. A transferred block depends on all of its tile, at both ends of the reach.
    reach = swift_tile(trunk).halo + unshuffle * (2 + 4) + 2 * tile
    return TileRule(side=None, multiple=tile, halo=-(-reach // tile) * tile)
