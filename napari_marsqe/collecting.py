"""The engine's work on the user's own references, as the panel asks for it. Runs in the worker thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from marsqe.image import MarsImage
from marsqe.progress import Progress, Steps
from marsqe.results import Region
from marsqe.terrain import Terrain


@dataclass(frozen=True)
class Source:
    """Where references are cut: a picture, the class or labels (None: they are found first), and the rectangle."""

    image: MarsImage
    terrain: str | Terrain | None
    region: Region | None
    device: str


def collect(source: Source, *, note: str, allow_lossy: bool) -> Steps[str]:
    """Cut references and keep them; returns what was done, in words."""
    yield Progress("Cutting references", 0, 1)
    import marsqe
    from marsqe.own_references import add_references, check_source, cut_patches

    check_source(source.image, allow_lossy)
    terrain = source.terrain
    if terrain is None:
        terrain = yield from marsqe.segment_steps(source.image, device=source.device)
    cuts = cut_patches(source.image, terrain, source.region)
    added = add_references(source.image, cuts, note=note, allow_lossy=allow_lossy)
    classes = ", ".join(sorted({entry.terrain for entry in added}))
    return f"Added {len(added)} of {classes}."


def remove(names: Sequence[str]) -> Steps[str]:
    """Delete references of the user's own."""
    yield Progress("Removing", 0, 1)
    from marsqe.own_references import remove_reference

    for name in names:
        remove_reference(name)
    return f"Removed {', '.join(names)}."


def switch(on: bool) -> Steps[str]:
    """Switch the user's own references on or off."""
    yield Progress("Switching", 0, 1)
    from marsqe.own_references import use_own

    use_own(on)
    return f"Your own references are switched {'on' if on else 'off'}."
