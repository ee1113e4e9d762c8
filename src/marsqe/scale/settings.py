"""What a batch is asked to do, and the fingerprint that tells whether a result is still the one asked for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from marsqe.errors import SettingError
from marsqe.export.options import DEPTHS
from marsqe.read.limits import LARGE

ENDINGS: Final = (".tif", ".png")
"""Of results: TIFF, or PNG for those who cannot use it."""

_FORMAT: Final = 1
"""Raised when the same weights and settings begin to give other pixels."""


@dataclass(frozen=True)
class Settings:
    """How every image of a batch is enhanced.

    Attributes
    ----------
    model : str
        A preset's name; "auto" until :func:`resolved`.
    device : str
        "auto", "cpu", "cuda" or "mps", looked up by each worker on its own machine. It is no part of the
        fingerprint: where a result is computed is not what is asked for.
    faithful : bool
        As in :func:`marsqe.enhance`.
    batch : int
        Tiles at once; no part of the fingerprint either.
    ending : str
        One of ``ENDINGS``.
    depth : str
        Numbers of the results, as in :class:`marsqe.ExportOptions`. Other ones than those of the source are written of
        whole images.
    windows_above : int
        Pixels above which an image is read, enhanced and written in windows, as ``marsqe enhance --windowed`` does:
        memory is bounded, and the pixels are the same but for rounding, so it is no part of the fingerprint. PNG, and
        models that look at the whole image at once, take images whole whatever it says.
    estimate : bool
        Whether the tables of images that bring none are estimated from their pixels, as ``marsqe enhance`` does with
        ``--estimate-tables``: an image that shows no trace of a JPEG fails.
    """

    model: str = "auto"
    device: str = "auto"
    faithful: bool = True
    batch: int = 8
    ending: str = ".tif"
    depth: str = "source"
    windows_above: int = LARGE
    estimate: bool = False

    def __post_init__(self) -> None:
        if self.ending not in ENDINGS:
            raise SettingError(f"results are written as {' or '.join(ENDINGS)}, not {self.ending!r}")
        if self.depth not in DEPTHS:
            raise SettingError(f"the depth must be one of {', '.join(DEPTHS)}, not {self.depth!r}")
        if self.depth == "float" and self.ending != ".tif":
            raise SettingError("32-bit numbers are written as .tif alone")


def resolved(settings: Settings) -> Settings:
    """The settings with "auto" replaced by the model that suits this machine.

    Raises
    ------
    SettingError, WeightsError, DeviceError
        Where there is no such model or device, or its weights are missing.
    """
    from marsqe.devices import resolve_device
    from marsqe.networks.registry import choose
    from marsqe.weights import read_card

    model = choose(settings.model, resolve_device(settings.device).type).name
    read_card(model)
    return replace(settings, model=model)


def fingerprint(settings: Settings) -> str:
    """Hash of all that decides the pixels besides the source: weights, references, settings.

    ``settings`` are those that :func:`resolved` gives.
    """
    from marsqe.matching import working_dictionary
    from marsqe.networks.registry import find
    from marsqe.segmentation.run import WEIGHTS

    facts: dict[str, Any] = asdict(settings) | {
        "format": _FORMAT,
        "weights": _weights_hash(settings.model),
        "terrain": _weights_hash(WEIGHTS),
        "dictionary": working_dictionary().sha256 if find(settings.model).uses_references else None,
    }
    for name in ("device", "batch", "windows_above"):
        del facts[name]
    # Results of a time when there was no other choice stay what was asked for.
    if settings.depth == "source":
        del facts["depth"]
    if not settings.estimate:
        del facts["estimate"]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def windows_above(settings: Settings) -> int | None:
    """Pixels above which images are enhanced in windows; None where these settings have to see them whole."""
    from marsqe.networks.registry import find

    if settings.ending != ".tif" or settings.depth != "source" or find(settings.model).uses_labels:
        return None
    return settings.windows_above


def _weights_hash(name: str) -> str | None:
    from marsqe.weights import is_bundled, read_card

    return str(read_card(name)["weights_sha256"]) if is_bundled(name) else None
