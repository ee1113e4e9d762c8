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

_CHUNK = 512
"""Side of the parts in which a pyramid is read."""

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
    return [pyramid_layer(Path(p)) or source_layer(marsqe.open_image(p)) for p in paths]


def pyramid_layer(path: Path) -> LayerData | None:
    """A TIFF with smaller levels as one image of several scales, read where it is looked at; None for other files."""
    if path.suffix.lower() not in (".tif", ".tiff") or not path.is_file():
        return None
    import dask.array

    from marsqe.read.pyramid import open_levels

    levels = open_levels(path)
    if len(levels) < 2:
        return None
    chunks = (_CHUNK, _CHUNK, *levels[0].shape[2:])
    arrays = [
        # Not turned into an array at once, and each part on its own.
        dask.array.from_array(level, chunks=chunks, asarray=False, name=False)
        for level in levels
    ]
    top = 255 if levels[0].dtype == "uint8" else 65535
    arguments = {"name": path.stem, "multiscale": True, "rgb": levels[0].ndim == 3, "contrast_limits": (0, top)}
    return arrays, arguments, "image"


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
