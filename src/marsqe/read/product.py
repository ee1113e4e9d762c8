"""Identity of a mission product from its file's name and from its label together."""

from __future__ import annotations

from dataclasses import replace

from marsqe.image import Product
from marsqe.read.names import identify
from marsqe.read.onboard import Onboard


def identity(file_name: str, product_id: object, sol: object, onboard: Onboard) -> Product:
    """What the name tells, else what the identifier in the label tells, with the label's word on the compression.

    Parameters
    ----------
    file_name : str
        Name of the file, which may have been changed.
    product_id, sol : object
        PRODUCT_ID and PLANET_DAY_NUMBER of the label, None where it has none.
    onboard : Onboard
        What the label says of the compression on board.
    """
    product = identify(file_name)
    if product == Product() and isinstance(product_id, str):
        product = identify(product_id)
    if product.sol is None and isinstance(sol, int) and sol >= 0:
        product = replace(product, sol=sol)
    if onboard.words is None:
        return product
    return replace(product, onboard_compression=onboard.words, onboard_quality=onboard.quality)
