"""Make docs/images/session.gif: the whole path, from a dropped JPEG to an exported TIFF, in a real window.

``scripts/with-display.sh python scripts/make_capture.py``. Prints how long the work itself took.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from make_screenshots import EDGE, INSPECTED
from photographer import ROOT, SAMPLE, Photographer
from PIL import Image

WIDTH = 860
COLOURS = 96


class Film:
    """Frames of the window, each with how long it is shown."""

    def __init__(self, photo: Photographer) -> None:
        self.photo, self.frames, self.seconds = photo, list[Image.Image](), list[float]()

    def take(self, seconds: float = 2.0) -> None:
        """Add the window as it is, shown for some seconds."""
        picture = Image.fromarray(self.photo.picture()).convert("RGB")
        small = picture.resize((WIDTH, round(WIDTH * picture.height / picture.width)), Image.Resampling.LANCZOS)
        self.frames.append(small.quantize(COLOURS, dither=Image.Dither.NONE))
        self.seconds.append(seconds)

    def save(self, path: Path) -> None:
        """Write the film as a GIF that repeats."""
        first, *others = self.frames
        durations = [round(1000 * s) for s in self.seconds]
        first.save(path, save_all=True, append_images=others, duration=durations, loop=0, optimize=True)


def play(photo: Photographer, film: Film, jpeg: Path, out: Path) -> None:
    from qtpy.QtWidgets import QFileDialog

    bench = photo.bench
    film.take(1.5)
    bench.open_path(jpeg)
    photo.until(lambda: photo.case is not None)
    film.take()
    photo.click(bench.enhance.action, lambda: photo.case.enhancement is not None)
    film.take(2.5)
    photo.click(photo.unfold("profile").button)
    photo.drag(*EDGE)
    bench.column.reveal(bench.drawers["profile"])
    film.take(3)
    photo.fold("profile")
    bench.inspect(*INSPECTED)
    film.take()
    before = photo.case.understanding.matches.references[INSPECTED]
    bench.use_reference(*INSPECTED, int((before + 1) % 6))
    photo.until(lambda: photo.case.understanding.matches.references[INSPECTED] != before)
    film.take(2.5)
    with patch.object(QFileDialog, "getSaveFileName", lambda *_: (str(out), "")):
        photo.click(bench.export.action, lambda: photo.case.exported is not None)
    film.take(3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "session.gif")
    chosen = parser.parse_args()
    from marsqe.samples import sample_path

    photo = Photographer()
    film = Film(photo)
    with tempfile.TemporaryDirectory(prefix="sol-0766-") as folder:
        jpeg = Path(folder) / "FRF_0766_0734953260_255ECM_N0382208FHAZ02008_07_095J01.jpg"
        jpeg.write_bytes(sample_path(SAMPLE).read_bytes())
        started = time.monotonic()
        play(photo, film, jpeg, Path(folder) / "enhanced.tif")
        print(f"{time.monotonic() - started:.0f} s for the whole path, {len(film.frames)} pictures")
    photo.viewer.close()
    film.save(chosen.out)
    print(f"{chosen.out.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
