"""Weights, bundled or the user's own: a safetensors file and its JSON card, side by side, found by name and hash."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from marsqe.errors import WeightsError, in_one_line
from marsqe.userdata import data_folder

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE: Final = "marsqe.resources"
FOLDER: Final = "weights"
MOST_WEIGHTS: Final = 512 * 2**20
"""Largest weights of one's own in bytes: those of the paper's network have 11 million."""

_SHARED: Final = {"marsqe-swift-plus": "marsqe-swift"}
"""Bundled models that use the weights of another one, each with a card of its own."""

State = Literal["verified", "altered", "missing"]

_LOCAL_NAME: Final = re.compile(r"(?!marsqe|auto$)[a-z0-9][a-z0-9._-]{0,47}")


def _folder() -> Traversable | None:
    try:
        importlib.import_module(PACKAGE)
    except ModuleNotFoundError:
        return None
    return files(PACKAGE) / FOLDER


def weights_file(name: str) -> str:
    """Name of the file that holds a model's weights; two models may share one."""
    return f"{_SHARED.get(name, name)}.safetensors"


def is_bundled(name: str) -> bool:
    """Whether both the weights and their card ``NAME.json`` are installed (their content is not read)."""
    folder = _folder()
    return folder is not None and all((folder / file).is_file() for file in (weights_file(name), f"{name}.json"))


def local_folder() -> Path:
    """Where the user's own weights are kept; it need not exist yet."""
    return data_folder() / FOLDER


def is_local_name(name: str) -> bool:
    """Whether a model of the user's may have this name: those that begin with marsqe are for bundled models."""
    return _LOCAL_NAME.fullmatch(name) is not None


def local_names() -> list[str]:
    """Names of the user's models: those of which there is a card, whatever it and the weights hold."""
    return sorted(path.stem for path in local_folder().glob("*.json") if is_local_name(path.stem))


def _home(name: str) -> Traversable | Path | None:
    """Folder in which the weights of a name and their card lie, if anywhere."""
    if is_bundled(name):
        return _folder()
    folder = local_folder()
    there = is_local_name(name) and all((folder / file).is_file() for file in (weights_file(name), f"{name}.json"))
    return folder if there else None


def _remedy(name: str) -> str:
    if is_local_name(name):
        return f"remove it with `marsqe models remove {name}` and import it again"
    return "reinstall napari-marsqe"


def state_of(name: str) -> State:
    """Whether weights are those that their card names: reads and hashes the file."""
    if _home(name) is None:
        return "missing"
    try:
        weights_bytes(name)
    except WeightsError:
        return "altered"
    return "verified"


def read_card(name: str) -> dict[str, Any]:
    """Read the model card of bundled weights, or of the user's own.

    Returns
    -------
    dict
        At least ``name``, ``kind``, ``config`` and ``weights_sha256``.

    Raises
    ------
    WeightsError
        Where there are no such weights, or the card is no JSON object with these fields.
    """
    folder = _home(name)
    if folder is None and name in local_names():
        raise WeightsError(f"The weights of your model '{name}' are missing: {_remedy(name)}.")
    if folder is None:
        raise WeightsError(
            f"No trained weights of '{name}' come with this installation. Choose a model that `marsqe models` lists "
            "as bundled, or install a release that has these weights."
        )
    try:
        card = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        missing = [field for field in ("name", "kind", "config", "weights_sha256") if field not in card]
    except (ValueError, TypeError, RecursionError) as error:
        raise WeightsError(f"The model card of '{name}' is damaged ({in_one_line(error)}): {_remedy(name)}.") from error
    if not isinstance(card, dict) or missing:
        raise WeightsError(f"The model card of '{name}' lacks {missing or 'its fields'}: {_remedy(name)}.")
    return card


def card_page(name: str) -> str:
    """The card for people: the page beside it where there is one, else all its fields as JSON.

    Raises
    ------
    WeightsError
        As :func:`read_card`.
    """
    card, folder = read_card(name), _home(name)
    assert folder is not None
    page = folder / f"{name}.md"
    return page.read_text(encoding="utf-8") if is_bundled(name) and page.is_file() else json.dumps(card, indent=1)


def weights_bytes(name: str) -> bytes:
    """Content of a model's file of weights, checked against the SHA-256 on its card.

    Raises
    ------
    WeightsError
        Where the weights are not bundled or are not those that the card names.
    """
    card, folder = read_card(name), _home(name)
    assert folder is not None
    content = (folder / weights_file(name)).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != card["weights_sha256"]:
        raise WeightsError(
            f"The weights of '{name}' are not those that its card names (SHA-256 {found[:12]}, expected "
            f"{str(card['weights_sha256'])[:12]}). The file is damaged or was replaced: {_remedy(name)}."
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
            f"The weights of '{name}' cannot be read ({in_one_line(error)}): {_remedy(name)}."
        ) from error
    return tensors
