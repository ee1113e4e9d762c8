"""Product identity from file names: what the missions wrote into them, whatever others put before and after."""

from __future__ import annotations

import re
from typing import Final

from marsqe.image import Product
from marsqe.read.names import curiosity, exploration, insight, perseverance

__all__ = ["identify"]

_UNKNOWN: Final = Product()
_MISSIONS: Final = (perseverance.find, curiosity.find, exploration.find, insight.find)


def identify(file_name: str) -> Product:
    """Tell the mission product from a file's name.

    Prefixes and suffixes of data sets and web sites are skipped. Nothing is guessed: what a name does not say stays
    None, and a name that holds two different products, or none, is unknown.

    Parameters
    ----------
    file_name : str
        Name of the file, with or without folders and extension.

    Returns
    -------
    Product
        All None where the name is unknown. Never raises.
    """
    name = re.split(r"[\\/]", file_name)[-1]
    found = {product for find in _MISSIONS for product in find(name)}
    return found.pop() if len(found) == 1 else _UNKNOWN
