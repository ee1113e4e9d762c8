"""Open an image in napari's workbench and run every step: ``python -m napari_marsqe.open_result IMAGE``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_marsqe.workbench import Workbench

_ROOMY = (1340, 720)
"""Width and height in pixels of a window that shows the whole workbench on a small laptop's screen."""


def show(path: Path, truth: Path | None = None) -> tuple[Any, Workbench]:
    """A napari viewer with the workbench, which opens ``path`` and understands, enhances and judges it.

    Parameters
    ----------
    path, truth : Path
        The compressed image, and its uncompressed original if there is one.

    Returns
    -------
    viewer : napari.Viewer
    workbench : Workbench
        Its work goes on in the background.
    """
    import napari

    viewer = napari.Viewer(title="MarsQE", show_welcome_screen=False)
    dock, workbench = viewer.window.add_plugin_dock_widget("napari-marsqe", "MarsQE Workbench")
    dock.show()
    if viewer.window.geometry()[2] < _ROOMY[0]:
        viewer.window.resize(*_ROOMY)

    def run_when_open() -> None:
        workbench.runner.idle.disconnect(run_when_open)
        workbench.run_all()

    workbench.runner.idle.connect(run_when_open)
    workbench.open_path(path, truth)
    return viewer, workbench


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, open the window and stay until it is closed."""
    import napari

    parser = argparse.ArgumentParser(prog="python -m napari_marsqe.open_result", description=__doc__)
    parser.add_argument("image", type=Path, help="the compressed image")
    parser.add_argument("--truth", type=Path, help="its uncompressed original")
    chosen = parser.parse_args(arguments)
    show(chosen.image, chosen.truth)
    napari.run()


if __name__ == "__main__":
    main()
