"""``marsqe models``: the presets and the user's own, their cost, their gains, and whether their weights are intact."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path
from typing import Any

import marsqe
from marsqe.cli.output import Outcome, emit, for_each, remove_each
from marsqe.errors import SettingError


def add_models(commands_of: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``models`` and what can be done with them."""
    top = commands_of.add_parser("models", parents=[shared], help="the models, their cost and their measured gains")
    top.set_defaults(run=listing)
    # Without a word it lists: what is added here must not become necessary.
    kinds = top.add_subparsers(required=False, metavar="WHAT")
    late = argparse.ArgumentParser(add_help=False)
    # Suppressed, or it would undo a --json that came before the word.
    late.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON document")

    p = kinds.add_parser("list", parents=[late], help="the same as without a word")
    p.set_defaults(run=listing)

    p = kinds.add_parser("import", parents=[late], help="keep weights of your own, with their card")
    p.add_argument("file", type=Path, metavar="FILE", help="a .safetensors file; pickled files are refused")
    p.add_argument("--card", type=Path, metavar="JSON", help="its card (default: the .json of the same name)")
    p.add_argument("--name", metavar="NAME", help="what to call it (default: what the card says)")
    p.set_defaults(run=importing)

    p = kinds.add_parser("remove", parents=[late], help="delete models that you imported")
    p.add_argument("names", nargs="+", metavar="NAME")
    p.set_defaults(run=removing)

    p = kinds.add_parser("verify", parents=[late], help="compare all weights with the hashes on their cards")
    p.set_defaults(run=verifying)


def listing(arguments: Namespace) -> int:
    """All models, their costs and the gains of their weights."""
    outcome = Outcome(marsqe.list_models(verify=True))

    def line(r: dict[str, Any]) -> str:
        if r["problem"]:
            return f"{r['name']}: {r['problem']}"
        state = f"{'your own' if r['local'] else 'bundled'}, {r['state']}" if r["available"] else "no weights bundled"
        weights = f"{r['weights_sha256'][:12]} ({state})" if r["available"] else state
        cost = f"{r['parameters'] / 1e6:.2f} M parameters, {r['macs_1152x1600'] / 1e12:.3f} TMAC"
        return f"{r['name']}: {cost} ({r['macs_cached'] / 1e12:.3f} cached), {weights}{_gains(r['validation'])}"

    return emit(outcome, arguments.json, line)


def _gains(validation: dict[str, dict[str, dict[str, float]]] | None) -> str:
    rows = []
    for split, qualities in (validation or {}).items():
        values = ", ".join(f"QF {q} {gain['mean']:+.2f} dB" for q, gain in qualities.items())
        rows.append(f"\n    {split}: {values}")
    return "".join(rows)


def importing(arguments: Namespace) -> int:
    """Check weights and keep them."""
    from marsqe.local_models import import_model

    def work(path: Path) -> dict[str, Any]:
        card = import_model(path, arguments.card, arguments.name)
        return {key: card[key] for key in ("name", "network", "parameters", "macs_1152x1600", "weights_sha256")}

    def line(r: dict[str, Any]) -> str:
        return f"{r['input']} is now the model '{r['name']}' ({r['parameters'] / 1e6:.2f} M parameters)"

    return emit(for_each([arguments.file], work), arguments.json, line)


def removing(arguments: Namespace) -> int:
    """Delete models by name; one that is not there stops no other."""
    from marsqe.local_models import remove_model

    outcome = remove_each(arguments.names, remove_model)
    return emit(outcome, arguments.json, lambda r: f"removed {r['removed']}")


def verifying(arguments: Namespace) -> int:
    """Say of each model whether its weights are those that its card names; fails where some are not."""
    outcome = Outcome()
    for row in marsqe.list_models(verify=True):
        if row["available"] or row["local"]:
            outcome.results.append({key: row[key] for key in ("name", "local", "state", "weights_sha256")})
            if row["state"] != "verified":
                outcome.fail(row["name"], SettingError(row["problem"] or f"its weights are {row['state']}"))
    return emit(outcome, arguments.json, lambda r: f"{r['name']}: {r['state']}")
