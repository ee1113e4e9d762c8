"""Arguing with the references: what follows from another choice, a forbidden patch or a new one, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from marsqe.errors import SettingError
from marsqe.image import MarsImage, Pixels
from marsqe.progress import Progress, Steps
from marsqe.results import Enhancement
from napari_marsqe import layers as conventions
from napari_marsqe.jobs import Task
from napari_marsqe.session import Case, Session, enhanced_role
from napari_marsqe.settings import engine_settings
from napari_marsqe.work import Understanding

if TYPE_CHECKING:
    from marsqe.matching import Change

_MOST_PAST: Final = 20


@dataclass(frozen=True)
class Settled:
    """What an argument led to.

    Attributes
    ----------
    found : Understanding
    change : Change
        Which tiles have another reference, and how much nearer it is.
    enhancement : Enhancement or None
        The result with these tiles enhanced again; None where that was not done, for ``reason``.
    gains : (float, float) or None
        ΔPSNR in dB of these tiles before and after, where a truth is known.
    """

    found: Understanding
    change: Change
    enhancement: Enhancement | None = None
    gains: tuple[float, float] | None = None
    reason: str = ""


@dataclass(frozen=True)
class Past:
    """What was before an argument, and the enhancement that it led to."""

    found: Understanding
    enhancement: Enhancement | None
    followed_by: Enhancement | None
    argued: Settled | None


def settle(
    image: MarsImage,
    before: Understanding,
    argue: Callable[[], Steps[Understanding]],
    enhancement: Enhancement | None,
    truth: Pixels | None,
    batch: int,
) -> Steps[Settled]:
    """Match otherwise, enhance again the tiles that have another reference now, and measure what that gained."""
    found = yield from argue()
    from marsqe.enhancement.again import pixels_of_tiles, reenhance_steps, why_not_again
    from marsqe.judgement import delta_psnr_where
    from marsqe.matching import change_between, dictionary_of

    old, new = dictionary_of(before.matches), dictionary_of(found.matches)
    change = change_between(before.matches, old, found.matches, new)
    if enhancement is None or not change.tiles.any():
        return Settled(found, change)
    reason = why_not_again(enhancement)
    if not reason and change_between(enhancement.matches, dictionary_of(enhancement.matches), before.matches, old).now:
        reason = "the references had been changed before; enhance again to use them all"
    if reason:
        return Settled(found, change, reason=reason)
    try:
        again = yield from reenhance_steps(enhancement, found.matches, change.tiles, terrain=found.terrain, batch=batch)
    except SettingError as error:  # what was argued counts all the same, for the next enhancement
        return Settled(found, change, reason=str(error))
    gains = None
    if truth is not None:
        where = pixels_of_tiles(change.tiles, image.shape)
        one, two = (
            delta_psnr_where(e.pixels, truth, compressed=image.pixels, where=where) for e in (enhancement, again)
        )
        gains = (one, two)
    return Settled(found, change, again, gains)


def task(
    session: Session, case: Case, argue: Callable[[], Steps[Understanding]], title: str, key: str = "understand"
) -> Task:
    """Argue with the references of an understood case and show what follows."""
    before, enhancement = case.understanding, case.enhancement
    assert before is not None
    batch = engine_settings().batch

    def steps() -> Steps[Settled]:
        truth = None if case.truth is None else conventions.pixels_of(case.truth)
        return settle(case.image, before, argue, enhancement, truth, batch)

    def apply(settled: Settled) -> None:
        if not session.knows(case):
            return
        past = Past(before, enhancement, settled.enhancement or enhancement, case.argued)
        case.past = [*case.past, past][-_MOST_PAST:]
        case.argued = settled
        _show(session, case, settled.found, settled.enhancement)

    return Task(key, title, steps, apply, owner=case)


def undo(session: Session, case: Case) -> None:
    """Go back to what was before the last argument."""
    if not case.past:
        return
    past = case.past.pop()
    case.argued = past.argued
    # Where the image was enhanced since, that result stays, and is called outdated.
    back = case.enhancement is past.followed_by and past.enhancement is not past.followed_by
    _show(session, case, past.found, past.enhancement if back else None)


def forget(case: Case) -> None:
    """What was argued before counts no more: the image was understood anew."""
    case.past, case.argued = [], None


def _show(session: Session, case: Case, found: Understanding, enhancement: Enhancement | None) -> None:
    show_found(session, case, found)
    if enhancement is not None:
        case.enhancement, case.judgement, case.exported = enhancement, None, None
        layer = conventions.enhanced_layer(enhancement, case.stem, case.frame)
        session.show(case, enhanced_role(enhancement.model), layer)
    session.changed.emit()


def show_found(session: Session, case: Case, found: Understanding) -> None:
    """Show other references of a case. The terrain layer keeps its data, and with them the history of the brush."""
    case.understanding = found
    if conventions.TERRAIN in case.layers:
        conventions.facts(case.layers[conventions.TERRAIN])["terrain"] = found.terrain
    arguments = (found.mosaic, found.matches, case.frame, case.image.full_scale)
    session.show(case, conventions.REFERENCES, conventions.references_layer(case.stem, *arguments))


def uses_references(enhancement: Enhancement | None) -> bool:
    """Whether other references change this result."""
    from marsqe.networks.registry import find

    try:
        return enhancement is not None and find(enhancement.model).uses_references
    except SettingError:  # a model of the user's that was removed since
        return False


# -- arguments: generators of another understanding ---------------------------------------------------------------


def forbid(image: MarsImage, found: Understanding, names: frozenset[str]) -> Steps[Understanding]:
    """Match with exactly these patches forbidden."""
    yield Progress("Matching references", 0, 1)
    from marsqe.matching import dictionary_of, with_forbidden

    matches = with_forbidden(image, found.matches, dictionary_of(found.matches), found.twins, sorted(names))
    return _with_matches(image, found, matches)


def match_own(image: MarsImage, found: Understanding) -> Steps[Understanding]:
    """Match with the references that there are now; what was chosen or forbidden stays, where it still can."""
    import marsqe
    from marsqe.matching import dictionary_of, twin_compression, with_choices_by_name, working_dictionary

    old, new = dictionary_of(found.matches), working_dictionary()
    known = {new.patch_id(label, index) for label, entries in new.entries.items() for index in range(len(entries))}
    forbidden = forbidden_names(found) & known
    matches = yield from marsqe.match_steps(image, found.terrain, new, sorted(forbidden))
    twins = twin_compression(image, new)
    matches = with_choices_by_name(image, matches, new, twins, found.matches, old)
    return _with_matches(image, replace(found, twins=twins), matches)


def forbidden_names(found: Understanding) -> frozenset[str]:
    """Names of the patches that are forbidden now."""
    from marsqe.matching import dictionary_of

    dictionary = dictionary_of(found.matches)
    return frozenset(dictionary.patch_id(*patch) for patch in found.matches.forbidden)


def _with_matches(image: MarsImage, found: Understanding, matches: Any) -> Understanding:
    from marsqe.matching import reference_mosaic

    return replace(found, matches=matches, mosaic=reference_mosaic(image, matches))
