"""Bundled weights: a safetensors file and its JSON card, side by side, found by name and checked by hash."""

from __future__ import annotations

import hashlib
import importlib
import json
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any, Final

from marsqe.errors import WeightsError, in_one_line

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE: Final = "marsqe.resources"
FOLDER: Final = "weights"


def _folder() -> Traversable | None:
    try:
        importlib.import_module(PACKAGE)
    except ModuleNotFoundError:
        return None
    return files(PACKAGE) / FOLDER


def is_bundled(name: str) -> bool:
    """Whether both ``NAME.safetensors`` and its card ``NAME.json`` are installed (their content is not read)."""
    folder = _folder()
    return folder is not None and all((folder / f"{name}.{end}").is_file() for end in ("safetensors", "json"))


def read_card(name: str) -> dict[str, Any]:
    """Read the model card of bundled weights.

    Returns
    -------
    dict
        At least ``name``, ``kind``, ``config`` and ``weights_sha256``.

    Raises
    ------
    WeightsError
        Where no such weights are bundled, or the card is no JSON object with these fields.
    """
    folder = _folder()
    if folder is None or not is_bundled(name):
        raise WeightsError(
            f"No trained weights of '{name}' come with this installation. Choose a model that `marsqe models` lists "
            "as bundled, or install a release that has these weights."
        )
    try:
        card = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        missing = [field for field in ("name", "kind", "config", "weights_sha256") if field not in card]
    except (ValueError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"The model card of '{name}' is damaged ({in_one_line(error)}). Reinstall napari-marsqe."
        ) from error
    if not isinstance(card, dict) or missing:
        raise WeightsError(f"The model card of '{name}' lacks {missing or 'its fields'}. Reinstall napari-marsqe.")
    return card


def weights_bytes(name: str) -> bytes:
    """Content of ``NAME.safetensors``, checked against the SHA-256 on its card.

    Raises
    ------
    WeightsError
        Where the weights are not bundled or are not those that the card names.
    """
    card, folder = read_card(name), _folder()
    assert folder is not None
    content = (folder / f"{name}.safetensors").read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != card["weights_sha256"]:
        raise WeightsError(
            f"The weights of '{name}' are not those that its card names (SHA-256 {found[:12]}, expected "
            f"{str(card['weights_sha256'])[:12]}). The file is damaged or was replaced: reinstall napari-marsqe."
        )
    return content


def load_weights(name: str) -> dict[str, Tensor]:
    """Tensors of the bundled weights on the CPU, by parameter name; see :func:`weights_bytes` for errors."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors: dict[str, Tensor] = load(weights_bytes(name))
    except SafetensorError as error:
        raise WeightsError(
            f"The weights of '{name}' cannot be read ({in_one_line(error)}). Reinstall napari-marsqe."
        ) from error
    return tensors
