"""Bundled parameters of metrics, checked by hash. Origin and licence of each are in ``resources/NOTICE.md``."""

from __future__ import annotations

import hashlib
import importlib
import io
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import WeightsError

SHA256: Final = {
    "lpips-alex.safetensors": "7539c9e2d012ec62a041c8510ae086ce908f652bbf3232e8822cc2fa8831c3f3",
    "brisque-live.npz": "9731879ba37291ba0208f45de43e755218fcd98df03ae9e2ec1421155a4fc575",
    "niqe-pristine.npz": "2a7c182a68c9e7f1b2e2e5ec723279d6f65d912b6fcaf37eb2bf03d7367c4296",
}


def parameter_bytes(name: str) -> bytes:
    """Content of a bundled file of parameters.

    Raises
    ------
    WeightsError
        If the file is missing or not the one that this version was made for.
    """
    try:
        importlib.import_module("marsqe.resources")
        content = (files("marsqe.resources") / "metrics" / name).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise WeightsError(f"The parameters '{name}' of a metric are missing. Reinstall napari-marsqe.") from error
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise WeightsError(
            f"The parameters '{name}' of a metric are damaged or were replaced. Reinstall napari-marsqe."
        )
    return content


def parameter_arrays(name: str) -> dict[str, NDArray[Any]]:
    """Arrays of a bundled ``.npz`` file; no pickled object is ever read. Errors as in :func:`parameter_bytes`."""
    with np.load(io.BytesIO(parameter_bytes(name)), allow_pickle=False) as stored:
        return dict(stored)
