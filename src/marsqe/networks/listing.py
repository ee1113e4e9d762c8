"""Every model that can be chosen, in one table. Importing this loads no torch."""

from __future__ import annotations

from typing import Any, Final

from marsqe.errors import WeightsError
from marsqe.networks.registry import PRESETS, find
from marsqe.weights import is_bundled, local_names, read_card, state_of

_OF_CARD: Final = ("description", "parameters", "macs_1152x1600", "macs_cached", "uses_references")


def list_models(*, verify: bool = False) -> list[dict[str, Any]]:
    """Every preset and every model of the user's with its cost and what its weights gain; JSON-ready.

    Parameters
    ----------
    verify : bool
        Read all weights and compare them with the hashes on their cards.

    Returns
    -------
    list of dict
        ``name``, ``description``, ``parameters``, ``macs_1152x1600``, ``macs_cached``, ``uses_references``,
        ``bundled`` and ``local`` (where the weights are), ``available`` (whether they can be used), ``problem``
        (empty, or what is wrong with the user's card), ``state`` (None, or with ``verify`` "verified", "altered" or
        "missing"), and from the card, None without one: ``weights_sha256`` and ``validation``
        (split -> quality -> ``mean`` and ``worst`` gain in dB over the compressed image).
    """
    return [_row(name, verify) for name in [*PRESETS, *local_names()]]


def _row(name: str, verify: bool) -> dict[str, Any]:
    local, bundled = name not in PRESETS, is_bundled(name)
    row: dict[str, Any] = {"name": name, "bundled": bundled, "local": local, "problem": ""}
    row["state"] = state_of(name) if verify else None
    try:
        preset, card = find(name), read_card(name) if local or bundled else None
    except WeightsError as error:
        if not local:
            raise
        # A damaged card of the user's own must not hide all other models.
        nothing = dict.fromkeys((*_OF_CARD, "weights_sha256", "validation"))
        return row | nothing | {"available": False, "problem": str(error)}
    row |= {fact: getattr(preset, fact) for fact in _OF_CARD} | {"available": card is not None}
    return row | {
        "weights_sha256": card["weights_sha256"] if card else None,
        "validation": gains_on(card) if card else None,
    }


def gains_on(card: dict[str, Any]) -> dict[str, dict[str, dict[str, float]]] | None:
    """The gains that a card reports: split -> quality -> mean and worst; None where it has none, or no such table."""
    table: Any = card.get("validation")
    try:
        return {
            str(split): {
                str(quality): {kind: float(gain[kind]) for kind in ("mean", "worst") if kind in gain}
                for quality, gain in row.items()
                if "mean" in gain
            }
            for split, row in table.items()
        }
    except (AttributeError, TypeError, ValueError):
        return None
