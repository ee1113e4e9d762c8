"""The presets: name, configuration, cost and bundled weights of every model. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from marsqe.errors import SettingError, WeightsError, in_one_line
from marsqe.networks.tiling import TileRule, swift_ref_tile, swift_tile
from marsqe.weights import is_bundled, load_weights, local_names, read_card

if TYPE_CHECKING:
    from torch import Tensor, nn

Kind = Literal["swift", "swift-ref", "lite", "full"]

AUTO: Final = "auto"


@dataclass(frozen=True)
class Preset:
    """A model that a user can choose.

    Attributes
    ----------
    name, description : str
    kind : {"swift", "swift-ref", "lite", "full"}
        "swift": pixels and condition; "swift-ref": the same with a matched reference for each tile of 128; "lite":
        patches of 128 with a matched reference each; "full": lite, then post-enhancement of the whole image, which
        needs terrain labels.
    config : mapping
        Fields of ``SwiftConfig``, ``SwiftRefConfig``, ``LiteConfig`` or ``MarsQEConfig``, JSON-ready.
    parameters : int
    macs_1152x1600, macs_cached : int
        Multiply-adds of one image of 1152x1600, with the references encoded for every patch as the paper counts,
        and with their encoding cached.
    """

    name: str
    kind: Kind
    description: str
    config: Mapping[str, Any]
    parameters: int
    macs_1152x1600: int
    macs_cached: int

    @property
    def uses_references(self) -> bool:
        """Whether every patch needs a matched reference (SMM)."""
        return self.kind != "swift"

    @property
    def uses_labels(self) -> bool:
        """Whether the network itself needs the terrain labels of every pixel."""
        return self.kind == "full"

    @property
    def tile(self) -> TileRule:
        """How to cut the image; for "full" this is for its main network, the post-enhancement sees all of it."""
        if self.kind == "swift":
            return swift_tile(self.config)
        if self.kind == "swift-ref":
            return swift_ref_tile(self.config)
        return TileRule(side=128, multiple=128, halo=0)


_LITE: Final = {"widths": [32, 72, 96], "blocks": 2, "reduction": 8, "d": 4}
_POST: Final = {"widths": [16, 48, 216], "down": [1, 1, 7], "up": [1, 1, 1], "keys": 512, "reduction": 8}
_SWIFT: Final = {"widths": [32, 64, 128], "encoder": [3, 3], "middle": 8, "decoder": [3, 3], "unshuffle": 2}

PRESETS: Final = {
    preset.name: preset
    for preset in (
        Preset(
            "marsqe",
            "full",
            "The paper's MarsQE: texture from matched references, then post-enhancement of the whole image. "
            "Its weights are far from finished: to study the design, not for results.",
            {"main": _LITE, "post": _POST},
            parameters=5_655_603,
            macs_1152x1600=1_507_160_116_816,
            macs_cached=1_100_272_193_296,
        ),
        Preset(
            "marsqe-lite",
            "lite",
            "The paper's MarsQE-lite: texture from matched references, patch by patch. "
            "Its weights are far from finished: to study the design, not for results.",
            _LITE,
            parameters=1_472_968,
            macs_1152x1600=1_005_404_521_680,
            macs_cached=598_516_598_160,
        ),
        Preset(
            "marsqe-swift",
            "swift",
            "A small network for laptops, about an eighth of the cost; it uses no references.",
            _SWIFT,
            parameters=3_042_796,
            macs_1152x1600=176_829_271_040,
            macs_cached=176_829_271_040,
        ),
        Preset(
            "marsqe-swift-plus",
            "swift",
            "marsqe-swift from four views, averaged: the most gain of all, at four times the cost; for final results.",
            {**_SWIFT, "views": 4},
            parameters=3_042_796,
            macs_1152x1600=707_317_084_160,
            macs_cached=707_317_084_160,
        ),
        Preset(
            "marsqe-swift-ref",
            "swift-ref",
            "marsqe-swift with texture from matched references: choosing another reference changes pixels.",
            {"trunk": _SWIFT, "reduction": 8, "d": 4},
            parameters=3_142_012,
            macs_1152x1600=310_453_773_824,
            macs_cached=199_176_702_464,
        ),
    )
}
"""Every preset by name, as designed; :func:`find` gives it as bundled."""


def find(name: str) -> Preset:
    """The preset of a name; where weights are bundled, or the user's own, with their card's configuration and cost.

    Raises
    ------
    SettingError
        Where there is no such preset.
    WeightsError
        Where the card of its weights is damaged.
    """
    if name in local_names():
        return _local(name)
    if name not in PRESETS:
        raise SettingError(f"There is no model '{name}'. Choose one of: {', '.join([AUTO, *PRESETS, *local_names()])}.")
    preset, card = PRESETS[name], _card(name)
    if card is None:
        return preset
    try:
        return replace(
            preset,
            config=dict(card["config"]),
            parameters=int(card.get("parameters", preset.parameters)),
            macs_1152x1600=int(card.get("macs_1152x1600", preset.macs_1152x1600)),
            macs_cached=int(card.get("macs_cached", preset.macs_cached)),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise WeightsError(
            f"The model card of '{name}' is damaged ({in_one_line(error)}). Reinstall napari-marsqe."
        ) from error


def _local(name: str) -> Preset:
    """A model of the user's, as its card describes it."""
    card = read_card(name)
    try:
        return Preset(
            name,
            card["network"],
            str(card.get("description") or "Your own weights."),
            dict(card["config"]),
            *(int(card[key]) for key in ("parameters", "macs_1152x1600", "macs_cached")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"The card of your model '{name}' is damaged ({error}). Remove it with `marsqe models remove {name}` and "
            "import it again."
        ) from error


def build(name: str) -> nn.Module:
    """Build the network of a preset, untrained. Raises as :func:`find`."""
    from marsqe.networks.build import build_network

    preset = find(name)
    return build_network(preset.kind, preset.config)


def build_design(name: str) -> nn.Module:
    """Build the network of a preset as designed, untrained, whatever its bundled weights are of.

    Raises
    ------
    SettingError
        Where there is no such preset.
    """
    from marsqe.networks.build import build_network

    find(name)
    return build_network(PRESETS[name].kind, PRESETS[name].config)


def default_weights(name: str) -> dict[str, Tensor]:
    """Bundled weights of a preset, checked against their card; raises ``WeightsError`` where there are none."""
    find(name)
    return load_weights(name)


def load(name: str) -> nn.Module:
    """Build the network of a preset with its bundled weights, on the CPU in evaluation mode.

    Raises
    ------
    SettingError
        Where there is no such preset.
    WeightsError
        Where its weights are absent, damaged or do not fit the configuration on their card.
    """
    from marsqe.networks.build import with_weights

    weights = default_weights(name)
    try:
        network = with_weights(lambda: build(name), weights)
    except RuntimeError as error:
        raise WeightsError(
            f"The weights of '{name}' do not fit the configuration on their card. Reinstall napari-marsqe. "
            f"({in_one_line(error)})"
        ) from error
    return network.eval()


def choose(model: str, device: str) -> Preset:
    """Resolve a wish to a preset.

    Parameters
    ----------
    model : str
        A model's name, or "auto": on a CPU the cheapest preset whose weights are bundled; elsewhere the one with
        the largest mean gain over the validation sets and qualities that all bundled cards report, to 0.01 dB, and
        of equals the cheapest. The user's own models are never taken by "auto": nobody but the user knows what they do.
    device : str
        "cpu", "cuda" or "mps" (an index such as "cuda:0" does no harm).

    Raises
    ------
    SettingError
        Where there is no such preset.
    WeightsError
        Where no weights are bundled at all.
    """
    if model != AUTO:
        return find(model)
    cards = {name: card for name in PRESETS if (card := _card(name)) is not None}
    if not cards:
        raise WeightsError("No trained weights come with this installation. Reinstall napari-marsqe from a release.")
    presets = [find(name) for name in cards]
    if device.partition(":")[0] == "cpu":
        return min(presets, key=lambda preset: preset.macs_cached)
    gains = {name: _gains(card) for name, card in cards.items()}
    shared = set.intersection(*(set(table) for table in gains.values()))

    def worth(preset: Preset) -> tuple[float, int]:
        total = sum(gains[preset.name][key] for key in shared)
        # A difference below a hundredth of a decibel is not worth waiting for.
        return round(total / max(1, len(shared)), 2), -preset.macs_cached

    return max(presets, key=worth)


def _gains(card: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    table: Mapping[str, Mapping[Any, Mapping[str, float]]] = card.get("validation") or {}
    return {(split, str(qf)): float(gain["mean"]) for split, row in table.items() for qf, gain in row.items()}


def _card(name: str) -> dict[str, Any] | None:
    return read_card(name) if is_bundled(name) else None
