"""Where results go."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from marsqe.errors import ExportError, SettingError


def output_for(
    inputs: Sequence[Path], output: Path, ending: str, allowed: Sequence[str] = ()
) -> Callable[[Path], Path]:
    """A function from an input to its output path.

    One input with an output that has an ending goes to that file; everything else goes into a folder, made if need
    be, as ``<stem><ending>``.

    Raises
    ------
    SettingError
        If two inputs would be written to one file, several inputs are given one file, or the ending is not allowed.
    """
    named = output.suffix != "" and not os.path.isdir(output)  # noqa: PTH112 - a name may be too long to ask for
    if named and len(inputs) > 1:
        raise SettingError(f"{output} is one file but there are {len(inputs)} inputs; give a folder")
    if named and allowed and output.suffix.lower() not in allowed:
        raise SettingError(f"{output.name} must end in {' or '.join(allowed)}")
    stems = [path.stem for path in inputs]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise SettingError(f"several inputs are called {twice[0]}; enhance them into different folders")

    def target(path: Path) -> Path:
        if not named:
            try:
                output.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ExportError(f"cannot make the folder {output}: {error.strerror or error}") from error
        chosen = output if named else output / f"{path.stem}{ending}"
        if _same(chosen, path):
            raise ExportError(f"{chosen} is the input itself; choose another name")
        return chosen

    return target


def _same(a: Path, b: Path) -> bool:
    """Whether two names are of one file; where one cannot be there, who opens it says why."""
    try:
        return a.samefile(b)
    except OSError:
        return False
