"""Make the pictures of the workbench in docs/images: ``python scripts/make_screenshots.py [--out FOLDER]``.

Runs the workbench on a bundled sample in a real window, clicking its buttons. Where there is no screen:
``scripts/with-display.sh python scripts/make_screenshots.py``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from unittest.mock import patch

from photographer import ROOT, SAMPLE, Photographer
from PIL import Image

INSPECTED = (2, 1)  # row and column of the tile
EDGE = ((325, 198), (275, 230))  # from a boulder over its edge into the sand
COLOURS = 256  # enough for the window; the files become a third


def save(photo: Photographer, folder: Path, name: str) -> None:
    picture = Image.fromarray(photo.picture()).convert("RGB")
    # Coverage, not population: the few pixels of a legend keep their colours.
    few = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(folder / f"{name}.png", optimize=True)


def take_steps(photo: Photographer, folder: Path) -> None:
    from qtpy.QtWidgets import QFileDialog

    bench = photo.bench
    save(photo, folder, "workbench-0-empty")
    bench.open_sample(SAMPLE)
    photo.until(lambda: photo.case is not None)
    save(photo, folder, "workbench-1-open")
    photo.click(bench.understand.action, lambda: photo.case.understanding is not None)
    save(photo, folder, "workbench-2-understand")
    photo.click(bench.enhance.action, lambda: photo.case.enhancement is not None)
    save(photo, folder, "workbench-3-enhance")
    photo.click(bench.judge.action, lambda: photo.case.judgement is not None)
    save(photo, folder, "workbench-4-judge")
    with tempfile.TemporaryDirectory(prefix="sol-0766-") as place:
        path = Path(place) / f"{photo.case.stem}_enhanced.tif"
        with patch.object(QFileDialog, "getSaveFileName", lambda *_: (str(path), "")):
            photo.click(bench.export.action, lambda: photo.case.exported is not None)
        save(photo, folder, "workbench-5-export")


def take_tools(photo: Photographer, folder: Path) -> None:
    bench = photo.bench
    photo.click(bench.judge.compare)
    save(photo, folder, "workbench-compare")
    photo.click(bench.judge.compare)
    photo.case.layers["gain"].visible = False
    bench.inspect(*INSPECTED)
    save(photo, folder, "workbench-inspector")
    photo.unfold("magnifier")
    photo.hover(320, 215)
    photo.hover(322, 218)
    save(photo, folder, "workbench-magnifier")
    photo.fold("magnifier")
    photo.click(photo.unfold("profile").button)
    photo.drag(*EDGE)
    photo.bench.column.reveal(bench.drawers["profile"])
    save(photo, folder, "workbench-profile")
    photo.fold("profile")
    for key in ("figures", "tiles"):
        photo.unfold(key)
        photo.wait(1.5)
        bench.column.reveal(bench.drawers[key])
        save(photo, folder, f"workbench-{key}")
        photo.fold(key)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--theme", default="dark", choices=("dark", "light"))
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    photo = Photographer(chosen.theme)
    take_steps(photo, chosen.out)
    take_tools(photo, chosen.out)
    photo.viewer.close()


if __name__ == "__main__":
    main()
