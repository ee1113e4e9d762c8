"""Weights of one's own beside the bundled ones: imported with their card, checked, removed. Nothing is downloaded."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from marsqe.errors import ExportError, ReadError, SettingError, WeightsError, in_one_line
from marsqe.export.atomic import write_whole
from marsqe.networks.registry import PRESETS
from marsqe.userdata import made, read_bytes, read_json
from marsqe.weights import MOST_WEIGHTS, is_bundled, is_local_name, local_folder, local_names

if TYPE_CHECKING:
    from torch import Tensor, nn

PICKLED: Final = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".npy", ".npz", ".h5", ".onnx")
_MOST_HEADER: Final = 10 * 2**20
_MOST_NUMBER: Final = 1024
_MOST_VALUES: Final = 128
_FLOATS: Final = ("torch.float16", "torch.bfloat16", "torch.float32")


def import_model(path: Path, card: Path | None = None, name: str | None = None) -> dict[str, Any]:
    """Check weights and their card, and keep a copy of both in the user's folder.

    The weights must be those that the card names by their hash, fit the network that the card configures, tensor by
    tensor, and hold finite numbers. Parameters and multiply-adds are counted anew; gains are the card's word.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file. Pickled files are refused, unopened.
    card : Path, optional
        Its card; by default the ``.json`` of the same name beside it.
    name : str, optional
        What to call the model; by default what the card says.

    Returns
    -------
    dict
        The card as it was written.

    Raises
    ------
    WeightsError
        If the weights or the card are not what they must be; the message says what.
    SettingError
        If the name is taken or cannot be one.
    ExportError
        If they cannot be written.
    """
    content = _content(path)
    known = _card(card or path.with_suffix(".json"))
    chosen = free_name(name or str(known.get("name", path.stem)))
    found = hashlib.sha256(content).hexdigest()
    if found != known["weights_sha256"]:
        raise WeightsError(
            f"{path.name} is not what its card names (SHA-256 {found[:12]}, expected "
            f"{str(known['weights_sha256'])[:12]}); take both from the same place"
        )
    kind = _kind(known)
    network = _built(kind, known["config"])
    _check_tensors(network, _tensors(content))
    written = known | {"name": chosen, "network": kind} | _cost(network)
    written["imported"] = {
        "file": path.name,
        "card_name": str(known.get("name", "")),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    folder = made(local_folder())
    # The card last: without it the weights count for nothing.
    write_whole(folder / f"{chosen}.safetensors", content)
    write_whole(folder / f"{chosen}.json", (json.dumps(written, indent=1) + "\n").encode())
    return written


def remove_model(name: str) -> None:
    """Delete a model of the user's.

    Raises
    ------
    SettingError
        If the user has none of that name; bundled models stay.
    ExportError
        If it cannot be deleted.
    """
    if name not in local_names():
        reason = "comes with napari-marsqe and stays" if is_bundled(name) else "is none of your own models"
        raise SettingError(f"'{name}' {reason}; `marsqe models` lists those that you imported")
    try:
        for ending in ("json", "safetensors"):
            with suppress(FileNotFoundError):
                (local_folder() / f"{name}.{ending}").unlink()
    except OSError as error:
        raise ExportError(f"the model '{name}' cannot be deleted ({error.strerror or error})") from error


def proposed_name(path: Path, card: Path | None = None) -> str | None:
    """A name for weights whose card has that of a bundled model, as training gives it; None where the card's will do.

    Raises
    ------
    WeightsError
        If the card cannot be read.
    """
    name = str(_card(card or path.with_suffix(".json")).get("name", path.stem))
    return None if is_local_name(name) else _without_prefix(name)


def _without_prefix(name: str) -> str:
    proposal = f"my-{name.removeprefix('marsqe').lstrip('-')}"
    return proposal if is_local_name(proposal) else "my-model"


def free_name(name: str) -> str:
    """The name, if a model of one's own may have it.

    Raises
    ------
    SettingError
        If it is taken, or cannot be a name.
    """
    if not is_local_name(name):
        why = "begins with marsqe, as only bundled models do" if name.startswith("marsqe") else "is no name for a model"
        raise SettingError(
            f"'{name[:60]}' {why}; give another of small letters, digits, '-', '_' and '.' (--name), for example "
            f"{_without_prefix(name)}"
        )
    if name in local_names():
        raise SettingError(f"you have a model '{name}' already; remove it first, or give another name (--name)")
    return name


def _content(path: Path) -> bytes:
    ending = path.suffix.lower()
    if ending in PICKLED:
        raise WeightsError(
            f"{path.name} may hold pickled objects, which can run any program when they are opened; it was not opened. "
            'Where you trust it, convert it with: python -c "import torch; from safetensors.torch import save_file; '
            f"save_file(torch.load('{path.name}', weights_only=True), '{path.stem}.safetensors')\""
        )
    if ending != ".safetensors":
        raise WeightsError(f"{path.name} is no .safetensors file, the only kind of weights that is read")
    try:
        return read_bytes(path, MOST_WEIGHTS)
    except ReadError as error:
        raise WeightsError(str(error)) from error


def _card(path: Path) -> dict[str, Any]:
    try:
        card = read_json(path)
    except ReadError as error:
        raise WeightsError(
            f"the model's card cannot be used: {error}; a card is the .json that training writes beside the weights"
        ) from error
    digest = card.get("weights_sha256")
    if not isinstance(card.get("config"), dict) or not isinstance(digest, str) or len(digest) != 64:
        raise WeightsError(f"{path.name} is no model's card: it lacks 'config' or 'weights_sha256'")
    return card


def _kind(card: Mapping[str, Any]) -> str:
    """Which network: what the card says, or that of the preset that it is named after."""
    kinds = sorted({preset.kind for preset in PRESETS.values()})
    named = card.get("network", getattr(PRESETS.get(str(card.get("name"))), "kind", None))
    if named not in kinds:
        raise WeightsError(
            f'the card does not say which network the weights are of; add "network", one of {", ".join(kinds)}'
        )
    return str(named)


def _built(kind: str, config: Mapping[str, Any]) -> nn.Module:
    """The network without any memory for its values: a card could ask for more than there is."""
    import torch

    from marsqe.networks.build import build_network

    _check_config(config)
    try:
        with torch.device("meta"):
            return build_network(kind, config)
    except (RuntimeError, ValueError, TypeError, IndexError, ZeroDivisionError, AttributeError) as error:
        raise WeightsError(f"no network can be built from the card's configuration ({in_one_line(error)})") from error


def _check_config(config: Mapping[str, Any]) -> None:
    values: list[Any] = [config]
    count = 0
    while values:
        value = values.pop()
        count += 1
        whole = isinstance(value, int) and 0 <= value <= _MOST_NUMBER
        if isinstance(value, dict):
            values += value.values()
        elif isinstance(value, list):
            values += value
        elif not whole or count > _MOST_VALUES:
            raise WeightsError(
                f"the card's configuration holds more than {_MOST_VALUES} values, or one that is no whole number from "
                f"0 to {_MOST_NUMBER}"
            )


def _tensors(content: bytes) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    length = struct.unpack("<Q", content[:8])[0] if len(content) > 8 else 0
    if not 2 <= length <= min(_MOST_HEADER, len(content) - 8):
        raise WeightsError("the file is called .safetensors but is none; it was not opened")
    try:
        tensors: dict[str, Tensor] = load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(f"the weights cannot be read ({in_one_line(error)})") from error
    return tensors


def _check_tensors(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    import torch

    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in tensors.items()}
    wrong = sorted(name for name in {*wanted, *given} if wanted.get(name) != given.get(name))
    if wrong:
        first = wrong[0]
        raise WeightsError(
            f"the weights do not fit the configuration on their card: {len(wrong)} tensors differ, the first is "
            f"'{first[:80]}', {_shape(given.get(first))} in the file and {_shape(wanted.get(first))} in the network"
        )
    for name, value in tensors.items():
        if str(value.dtype) not in _FLOATS:
            raise WeightsError(f"'{name}' holds {value.dtype}; weights are 16-bit or 32-bit real numbers")
        if not bool(torch.isfinite(value).all()):
            raise WeightsError(f"'{name}' holds numbers that are not finite: the training failed")


def _shape(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else " x ".join(map(str, shape)) or "a single number"


def _cost(network: nn.Module) -> dict[str, int]:
    from marsqe.networks.cost import count_module_macs, count_parameters

    try:
        return {
            "parameters": count_parameters(network),
            "macs_1152x1600": count_module_macs(network, cached=False),
            "macs_cached": count_module_macs(network, cached=True),
        }
    except (RuntimeError, ValueError, IndexError, ZeroDivisionError) as error:
        raise WeightsError(f"the network of this card cannot run ({in_one_line(error)})") from error
