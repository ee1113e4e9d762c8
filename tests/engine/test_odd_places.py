"""Odd shapes through every step, odd names, full disks, loops of links: a result or one error, never half a file."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import jpeg_bytes, texture

import marsqe
from marsqe.cli.main import main
from marsqe.enhancement import pipeline
from marsqe.errors import MarsqeError, SettingError, WeightsError
from marsqe.export import atomic

Said = Callable[[], tuple[dict[str, Any], str]]


def through_everything(pixels: NDArray[np.uint8], folder: Path, model: str = "marsqe-swift") -> marsqe.Enhancement:
    """Read, segment, match, enhance, judge, export and read again."""
    file = folder / "frame.jpg"
    file.write_bytes(jpeg_bytes(pixels, 50))
    image = marsqe.open_image(file)
    assert image.shape == pixels.shape[:2]
    terrain = marsqe.segment(image, "cpu")
    assert terrain.labels.min() >= 1
    assert terrain.probabilities is not None
    assert np.isfinite(terrain.probabilities).all()
    matches = marsqe.match(image, terrain)
    assert np.isfinite(matches.divergences).all()
    result = marsqe.enhance(image, model, "cpu", terrain=terrain, matches=matches)
    judgement = marsqe.judge(result.pixels, pixels, compressed=image.pixels, terrain=terrain)
    assert judgement.change.shape == image.shape
    written = result.save(folder / "enhanced.tif")
    np.testing.assert_array_equal(marsqe.open_image(written).pixels, result.pixels)
    return result


@pytest.fixture
def real_terrain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tiny enhancing networks beside the terrain network that is shipped."""
    import shutil

    from scenes import bundle_tiny

    import marsqe.weights

    home, folder = Path(str(marsqe.weights._folder())), tmp_path / "weights"
    bundle_tiny(folder, monkeypatch, "marsqe-swift", "marsqe-lite", "marsqe")
    for file in home.glob("marsqe-terrain.*"):
        shutil.copy(file, folder)
    yield
    pipeline.loaded.cache_clear()


@pytest.mark.usefixtures("real_terrain")
@pytest.mark.parametrize("model", ["marsqe-swift", "marsqe-lite", "marsqe"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (1, 300), (300, 1, 3), (7, 9, 3), (129, 128)])
def test_small_and_narrow_images(tmp_path: Path, shape: tuple[int, ...], model: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    result = through_everything(pixels, tmp_path, model)
    assert result.pixels.shape == shape


@pytest.mark.usefixtures("real_terrain")
def test_ribbon(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4000, 3)).astype(np.uint8)
    assert through_everything(pixels, tmp_path).pixels.shape == pixels.shape


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize("value", [0, 128, 255])
def test_images_of_one_value(tmp_path: Path, value: int) -> None:
    result = through_everything(np.full((150, 140, 3), value, np.uint8), tmp_path)
    assert np.abs(result.pixels.astype(int) - value).max() <= 4


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("label", [0, 1, 4])
@pytest.mark.parametrize("model", ["marsqe-swift", "marsqe-lite", "marsqe"])
def test_images_of_one_class(label: int, model: str) -> None:
    image = marsqe.simulate_downlink(texture(140, 130), 30)
    terrain = marsqe.Terrain(np.full(image.shape, label, np.uint8))
    result = marsqe.enhance(image, model, "cpu", terrain=terrain)
    assert set(np.unique(result.matches.classes)) <= ({label} if label else {1, 2, 3, 4})


@pytest.mark.parametrize("pixels", [np.full((9, 9), np.nan), np.ones((9, 9), np.float32), np.zeros((0, 5), np.uint8)])
def test_numbers_that_are_no_pixels(pixels: Any) -> None:
    with pytest.raises(SettingError, match="pixels"):
        marsqe.MarsImage.from_array(pixels)


def test_a_network_that_gives_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "loaded", lambda name, device: lambda pixels, condition: pixels * float("nan"))
    image = marsqe.simulate_downlink(texture(40, 50), 30)
    terrain = marsqe.Terrain(np.full(image.shape, 3, np.uint8))
    with pytest.raises(WeightsError, match="no numbers"):
        marsqe.enhance(image, "marsqe-swift", "cpu", terrain=terrain)


# ---- names


@pytest.mark.usefixtures("understood")
@pytest.mark.parametrize(
    "name",
    ["a b.jpg", "ÅÉ火星.jpg", 'it\'s "quoted".jpg', "$(rm -rf x);`x`&.jpg", "-o.jpg", "%s%n.jpg", "." * 40 + "jpg"],
)
def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: Said) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(jpeg_bytes(texture(40, 50), 30))
    assert main(["enhance", str(tmp_path / name), "-o", "out", "--device", "cpu", "--json"]) == 0
    written = Path(said()[0]["results"][0]["output"])
    assert written.parent == Path("out")
    assert marsqe.open_image(written).shape == (40, 50)
    assert not list(tmp_path.rglob(".marsqe-*"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.usefixtures("understood")
@pytest.mark.parametrize("name", ["two\nlines.jpg", "tab\t.jpg", os.fsdecode(b"latin-\xe9.jpg"), "esc\x1b[31m.jpg"])
def test_names_that_break_lines(tmp_path: Path, name: str, said: Said) -> None:
    file = tmp_path / name
    file.write_bytes(jpeg_bytes(texture(40, 50), 30))
    assert main(["info", str(file), "--json"]) == 0
    assert said()[0]["results"][0]["input"] == str(file)
    assert main(["enhance", str(file), "-o", str(tmp_path / "out"), "--device", "cpu", "--json"]) == 0
    assert Path(said()[0]["results"][0]["output"]).is_file()


# ---- places


def refused(said: Said, code: int, word: str) -> None:
    """The command failed as a whole, in words and without a traceback."""
    document, told = said()
    assert code == 1
    assert word in document["errors"][0]["error"]
    assert "Traceback" not in told


@pytest.mark.usefixtures("understood")
@pytest.mark.parametrize(
    "command", [["enhance", "--device", "cpu"], ["segment", "--device", "cpu"], ["compress", "--qf", "9"]]
)
@pytest.mark.parametrize("old", [None, b"what was there before"])
def test_full_disk(
    monkeypatch: pytest.MonkeyPatch, frame: Path, command: list[str], old: bytes | None, said: Said
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = frame.with_name({"enhance": "a.tif", "segment": "a.png", "compress": "a.jpg"}[command[0]])
    if old is not None:
        target.write_bytes(old)
    monkeypatch.setattr(atomic.os, "fsync", full)
    refused(said, main([*command, str(frame), "-o", str(target), "--json"]), "free space")
    assert (target.read_bytes() if target.exists() else None) == old
    assert not list(frame.parent.glob(".marsqe-*"))


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on files is a Unix one")
def test_disk_that_fills_while_writing(tmp_path: Path) -> None:
    """The system itself refuses to write beyond some kilobytes."""
    source = tmp_path / "truth.png"
    source.write_bytes(b"")
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300)).astype(np.uint8)).save(source)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)); from marsqe.cli import main; "
        f"sys.exit(main(['compress', {str(source)!r}, '-o', {str(tmp_path / 'a.jpg')!r}, '--qf', '95']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["truth.png"]


@pytest.mark.usefixtures("understood")
def test_no_room_for_the_temporary_copy(monkeypatch: pytest.MonkeyPatch, frame: Path, said: Said) -> None:
    """What is faithful needs a copy of the file; without room for it nothing is done in silence."""
    from marsqe.codecs import coefficients

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(coefficients.Path, "write_bytes", full)
    coefficients._kept.clear()
    code = main(["enhance", str(frame), "-o", str(frame.with_name("a.tif")), "--device", "cpu", "--json"])
    refused(said, code, "TMPDIR")
    assert not frame.with_name("a.tif").exists()


@pytest.mark.usefixtures("understood")
def test_folder_that_may_only_be_read(monkeypatch: pytest.MonkeyPatch, frame: Path, said: Said) -> None:
    # Not by permissions: whoever runs the tests in a container may write everywhere.
    def forbidden(**_: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(atomic.tempfile, "mkstemp", forbidden)
    code = main(["enhance", str(frame), "-o", str(frame.with_name("a.tif")), "--device", "cpu", "--json"])
    refused(said, code, "no permission")


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="links need rights on Windows")
def test_links_that_go_in_circles(tmp_path: Path, said: Said) -> None:
    (tmp_path / "a.jpg").symlink_to("b.jpg")
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    (tmp_path / "loop").symlink_to("loop")
    sound = tmp_path / "sound.jpg"
    sound.write_bytes(jpeg_bytes(texture(40, 50), 30))
    refused(said, main(["info", str(tmp_path / "a.jpg"), "--json"]), "cannot open")
    code = main(["compress", str(sound), "-o", str(tmp_path / "loop" / "x.jpg"), "--qf", "30", "--json"])
    refused(said, code, "cannot write")
    code = main(["compress", str(sound), "-o", str(tmp_path / "loop"), "--qf", "30", "--json"])
    refused(said, code, "cannot make the folder")


# ---- what promises more than it holds


def test_headers_that_promise_far_more_than_there_is(tmp_path: Path) -> None:
    """Refused before memory is taken: each of these would be hundreds of megabytes."""
    import struct
    import tracemalloc

    from handmade import png

    jpeg = jpeg_bytes(texture(16, 16), 50)
    at = jpeg.index(b"\xff\xc0") + 5
    files = {
        "a.jpg": jpeg[:at] + struct.pack(">HH", 19_000, 19_000) + jpeg[at + 4 :],
        "a.png": png(19_000, 19_000, 8, 0, b"\0" * 10),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        tracemalloc.start()
        with pytest.raises(MarsqeError, match="cannot hold as many pixels"):
            marsqe.open_image(tmp_path / name)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20e6
