"""``marsqe references``: what tiles are matched with, the user's own among them."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path
from typing import Any

from marsqe.cli.output import Outcome, emit, follow, for_each, remove_each
from marsqe.results import Region
from marsqe.terrain import CLASSES


def forbidding() -> argparse.ArgumentParser:
    """The option that all commands share which match."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--forbid",
        action="append",
        default=[],
        metavar="NAME",
        help="a reference of `marsqe references list` that no tile may have; give it again for more",
    )
    return parent


def add_references(commands_of: Any, shared: argparse.ArgumentParser, device: argparse.ArgumentParser) -> None:
    """Add ``references`` and what can be done with them."""
    top = commands_of.add_parser("references", help="list, add and remove the references that tiles are matched with")
    kinds = top.add_subparsers(required=True, metavar="WHAT")

    p = kinds.add_parser("list", parents=[shared], help="all references: the bundled ones and your own")
    p.set_defaults(run=listing)

    p = kinds.add_parser("add", parents=[device, shared], help="cut references out of lossless frames of the outcrop")
    p.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="image files")
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--terrain", choices=CLASSES, help="the class of what is cut")
    what.add_argument("--find-terrain", action="store_true", help="find the classes, and cut patches of a single one")
    p.add_argument("--region", nargs=4, type=int, metavar=("X", "Y", "W", "H"), help="cut only here (default: all)")
    p.add_argument("--most", type=int, default=6, metavar="N", help="patches of each class and image (default: 6)")
    p.add_argument("--note", default="", metavar="TEXT", help="for yourself, kept with the reference")
    p.add_argument("--credit", default="", metavar="TEXT", help="who is to be named for the picture")
    p.add_argument("--allow-lossy", action="store_true", help="take even a lossy source, and write so into the origin")
    p.set_defaults(run=adding)

    p = kinds.add_parser("remove", parents=[shared], help="delete references of your own")
    p.add_argument("names", nargs="+", metavar="NAME", help="of `marsqe references list`")
    p.set_defaults(run=removing)

    for name, on in (("on", True), ("off", False)):
        p = kinds.add_parser(name, parents=[shared], help=f"switch your own references {name}")
        p.set_defaults(run=switching, on=on)


def listing(arguments: Namespace) -> int:
    """All references by name, with their origin."""
    from marsqe.matching import list_own, load_dictionary, own_enabled

    rows: list[dict[str, Any]] = [
        {"name": entry.name(index), "own": False, "terrain": entry.terrain, "source": entry.source}
        | {"x": entry.x, "y": entry.y, "credit": entry.credit, "used": True, "problem": ""}
        for entries in load_dictionary().entries.values()
        for index, entry in enumerate(entries)
    ]
    used = own_enabled()
    for reference in list_own():
        origin = reference.entry.record() if reference.entry is not None else {}
        rows.append(origin | {"name": reference.patch_id, "own": True, "used": used, "problem": reference.problem})

    def line(r: dict[str, Any]) -> str:
        if r["problem"]:
            return f"{r['name']}: damaged ({r['problem']})"
        marks = [word for word, true in (("lossy source", r.get("lossy")), ("switched off", not r["used"])) if true]
        marks += [r["note"]] if r.get("note") else []
        origin = f"{r['terrain']}, {r['source']} at {r['x']}, {r['y']}; {r['credit']}"
        return f"{r['name']}: {'; '.join([origin, *marks])}"

    return emit(Outcome(rows), arguments.json, line)


def adding(arguments: Namespace) -> int:
    """Cut patches out of each input and keep them."""
    import marsqe
    from marsqe.own_references import add_references as keep
    from marsqe.own_references import cut_patches

    region = Region(*arguments.region) if arguments.region else None

    def work(path: Path) -> dict[str, Any]:
        image = marsqe.open_image(path)
        terrain = arguments.terrain or follow(marsqe.segment_steps(image, arguments.device), path.name)
        cuts = cut_patches(image, terrain, region, arguments.most)
        options = {"note": arguments.note, "credit": arguments.credit, "allow_lossy": arguments.allow_lossy}
        return {"added": [entry.record() for entry in keep(image, cuts, **options)]}

    def line(r: dict[str, Any]) -> str:
        rows = [f"    {e['patch_id']}: {e['terrain']} at {e['x']}, {e['y']}" for e in r["added"]]
        return "\n".join([r["input"], *rows])

    return emit(for_each(arguments.inputs, work), arguments.json, line)


def removing(arguments: Namespace) -> int:
    """Delete references by name; one that is not there stops no other."""
    from marsqe.own_references import remove_reference

    outcome = remove_each(arguments.names, remove_reference)
    return emit(outcome, arguments.json, lambda r: f"removed {r['removed']}")


def switching(arguments: Namespace) -> int:
    """Use the user's own references, or leave them aside."""
    from marsqe.own_references import use_own

    use_own(arguments.on)
    words = "on" if arguments.on else "off"
    return emit(Outcome([{"own_references": words}]), arguments.json, lambda r: f"your own references are {words}")
