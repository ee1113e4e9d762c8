"""Reader contribution: image files with the facts of their compression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from napari_marsqe.layers import LayerData, source_layer

SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"),
    *(".img", ".vic", ".lbl", ".xml", ".heic", ".heif", ".bpg"),
)
"""Most of the second row need an extra; the error says which."""

PathLike = str | Sequence[str]


def get_reader(path: PathLike) -> Callable[[PathLike], list[LayerData]] | None:
    """Offer to read ``path`` if its suffix is one of ours; a list of paths if all are."""
    paths = [path] if isinstance(path, str) else list(path)
    if paths and all(Path(p).suffix.lower() in SUFFIXES for p in paths):
        return read_layers
    return None


def read_layers(path: PathLike) -> list[LayerData]:
    """Read one layer for each file.

    Raises
    ------
    ReadError
        If a file is no image that we can read; the message says what to do.
    MissingExtraError
        If its kind needs an extra that is not installed; the message holds the command that installs it.
    """
    import marsqe

    paths = [path] if isinstance(path, str) else list(path)
    return [source_layer(marsqe.open_image(p)) for p in paths]


def get_session_reader(path: PathLike) -> Callable[[PathLike], list[LayerData]] | None:
    """Offer to read a folder that "Save session" has written."""
    from napari_marsqe.saving.folder import SUFFIX

    return read_session if isinstance(path, str) and Path(path).suffix.lower() == SUFFIX else None


def read_session(path: PathLike) -> list[LayerData]:
    """All layers of a session; an open workbench takes them up as it left them.

    Raises
    ------
    ReadError
        If the folder is no session, of a newer version, or damaged.
    """
    from marsqe.progress import run
    from napari_marsqe.saving.sessions import open_steps

    assert isinstance(path, str)
    made, _ = run(open_steps(Path(path)))
    return made
