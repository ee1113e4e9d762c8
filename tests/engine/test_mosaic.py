"""Images enhanced in windows: the pixels of the whole image, in a file with smaller levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from scenes import equal_within, jpeg_bytes, texture

import marsqe
from marsqe.cli.main import main
from marsqe.errors import ExportError, ReadError, SettingError
from marsqe.export import read_provenance
from marsqe.export.pyramid import PyramidWriter, halved, level_shapes
from marsqe.progress import run
from marsqe.read import large
from marsqe.read.pyramid import open_levels
from marsqe.read.rows import TiffRows
from marsqe.scale.mosaic import enhance_large_steps
from marsqe.segmentation.large import reduce_steps
from marsqe.segmentation.prepare import resized, to_rgb8
from marsqe.terrain import Terrain

SIDES = (301, 421)


def jpeg(path: Path, **options: Any) -> Path:
    path.write_bytes(jpeg_bytes(texture(*SIDES, seed=3), **options))
    return path


def tiff(path: Path, pixels: Any, **options: Any) -> Path:
    tifffile.imwrite(path, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack", **options)
    return path


def sixteen(*shape: int) -> Any:
    return (texture(*shape, colour=False).astype(np.uint16) * 16) + 5


MAKERS = {
    "jpeg 4:2:0": lambda p: jpeg(p / "a.jpg"),
    "jpeg 4:2:2 progressive": lambda p: jpeg(p / "a.jpg", quality=60, subsampling="4:2:2", progressive=True),
    "jpeg 4:4:4": lambda p: jpeg(p / "a.jpg", subsampling="4:4:4"),
    "striped": lambda p: tiff(p / "a.tif", texture(*SIDES), rowsperstrip=37, compression="zlib"),
    "tiled gray 16 bit": lambda p: tiff(p / "a.tif", sixteen(*SIDES), tile=(64, 96), compression="lzw", predictor=True),
    "png": lambda p: (Image.fromarray(texture(*SIDES)).save(p / "a.png"), p / "a.png")[1],
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("model", ["marsqe-swift", "marsqe-lite"])
def test_windows_give_the_whole_images_pixels(terrain_by_rule: Any, tmp_path: Path, kind: str, model: str) -> None:
    path = MAKERS[kind](tmp_path)
    whole = marsqe.enhance(marsqe.open_image(path), model, "cpu")
    result = run(enhance_large_steps(path, tmp_path / "out.tif", model, "cpu", core=128))
    written = marsqe.open_image(tmp_path / "out.tif")
    differing = np.abs(written.pixels.astype(int) - whole.pixels) > 1
    # A texture of a reference is chosen by the largest similarity: two that are all but equal may change places when
    # other tiles are computed beside. With random weights that is a few pixels.
    assert differing.mean() <= (0 if model == "marsqe-swift" else 1e-3)
    assert not np.array_equal(whole.pixels, whole.source.pixels), "the network changed something"
    assert result.shares == whole.terrain.shares()
    change = marsqe.judge(whole.pixels, compressed=whole.source.pixels).metrics
    assert result.mean_change == pytest.approx(change["mean_change"], abs=0.05)
    record, wanted = read_provenance(tmp_path / "out.tif"), whole.provenance
    for key in ("source", "model", "settings"):
        assert record[key] == wanted[key], key
    assert record["terrain"]["sha256"] == wanted["terrain"]["sha256"]
    assert record["windowed"]


def test_levels_halve_the_image_and_are_read_where_they_are_looked_at(terrain_by_rule: Any, tmp_path: Path) -> None:
    path = tiff(tmp_path / "wide.tif", texture(140, 1101))
    run(enhance_large_steps(path, tmp_path / "out.tif", "marsqe-swift", "cpu", core=128))
    levels = open_levels(tmp_path / "out.tif")
    assert [level.shape for level in levels] == [(140, 1101, 3), (70, 551, 3), (35, 276, 3)]
    pixels = marsqe.open_image(tmp_path / "out.tif").pixels
    for level in levels:
        np.testing.assert_array_equal(level.read(0, level.shape[0]), pixels)
        np.testing.assert_array_equal(level[3:30, 200:270, 1:3], pixels[3:30, 200:270, 1:3])
        pixels = halved(pixels)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages.first.is_tiled
        assert len(file.pages) == 1
        assert len(file.series[0].levels) == 3


def test_a_file_without_levels_is_no_pyramid(tmp_path: Path) -> None:
    assert open_levels(tiff(tmp_path / "a.tif", texture(40, 50))) == []


@pytest.mark.parametrize("shape", [(1500, 900), (700, 2000), (400, 300)])
def test_reduced_band_by_band_as_at_once(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    from marsqe.segmentation.prepare import working_size

    monkeypatch.setattr("marsqe.segmentation.large._AT_ONCE", 200_000)
    size = tuple(n // 2 for n in working_size(*shape))
    for pixels in (texture(*shape), (texture(*shape, colour=False).astype(np.uint16) << 4)):
        header = marsqe.MarsImage.from_array(pixels)
        found = run(reduce_steps(lambda a, b, p=pixels: p[a:b], header, size))
        assert equal_within(found, resized(to_rgb8(pixels), size))


def test_labels_of_rows_are_those_of_the_whole(tmp_path: Path) -> None:
    from marsqe.segmentation.large import LargeTerrain
    from marsqe.segmentation.run import upsampled

    planes = np.random.default_rng(0).random((4, 23, 31)).astype(np.float32)
    whole = upsampled(planes, (211, 305)).argmax(axis=0) + 1
    terrain = LargeTerrain((planes.argmax(axis=0) + 1).astype(np.uint8), planes, (211, 305), "test")
    found = np.concatenate([terrain.rows(0, 100), terrain.rows(100, 211)])
    assert (found != whole).mean() < 1e-3


def test_the_command_switches_by_size(
    terrain_by_rule: Any, tmp_path: Path, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = jpeg(tmp_path / "a.jpg"), tmp_path / "out.tif"
    arguments = ["enhance", str(path), "-o", str(out), "--device", "cpu", "--json"]
    assert main(arguments) == 0
    assert not said()[0]["results"][0]["windowed"]
    monkeypatch.setattr(large, "LARGE", 100_000)
    assert main(arguments) == 0
    (result,) = said()[0]["results"]
    assert result["windowed"]
    assert result["model"] == "marsqe-swift"
    assert main([*arguments, "--no-windowed"]) == 0
    assert not said()[0]["results"][0]["windowed"]
    assert main([*arguments, "--windowed", "--region", "0", "0", "9", "9"]) == 2
    assert main([*arguments, "--windowed", "--estimate-tables"]) == 2


def test_what_windows_cannot_do_is_told(terrain_by_rule: Any, tmp_path: Path) -> None:
    path = jpeg(tmp_path / "a.jpg")
    with pytest.raises(ExportError, match=r"\.tif"):
        run(enhance_large_steps(path, tmp_path / "out.png"))
    with pytest.raises(SettingError, match="128"):
        run(enhance_large_steps(path, tmp_path / "out.tif", core=100))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = jpeg(tmp_path / "turned.jpg", exif=exif)
    with pytest.raises(ReadError, match="turned"):
        run(enhance_large_steps(turned, tmp_path / "out.tif"))
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ReadError, match=r"cut\.jpg"):
        run(enhance_large_steps(cut, tmp_path / "out.tif"))
    assert {p.name for p in tmp_path.iterdir()} == {"a.jpg", "turned.jpg", "cut.jpg", "weights"}


def test_leaving_leaves_nothing(terrain_by_rule: Any, tmp_path: Path) -> None:
    path = jpeg(tmp_path / "a.jpg")
    steps = enhance_large_steps(path, tmp_path / "out.tif", "marsqe-swift", "cpu", core=128)
    for now in steps:
        if now.step == "Enhancing" and now.done >= 128:
            break
    steps.close()
    assert {p.name for p in tmp_path.iterdir()} == {"a.jpg", "weights"}


def test_a_full_disk_ends_it_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = PyramidWriter(tmp_path / "out.tif", (600, 300), np.uint8, tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer._writer, "write", full)
    writer.start({})
    with pytest.raises(ExportError, match="No space left"):
        for _ in range(4):
            writer.add(np.zeros((256, 300), np.uint8))
    writer.leave()


def test_shapes_of_levels() -> None:
    assert level_shapes((1000, 513)) == [(1000, 513), (500, 257)]
    assert level_shapes((100, 100, 3)) == [(100, 100, 3)]


def test_rectangles_of_any_tiff(tmp_path: Path) -> None:
    pixels = texture(200, 150)
    for options in ({"rowsperstrip": 7}, {"tile": (32, 48)}, {}):
        with tifffile.TiffFile(tiff(tmp_path / "a.tif", pixels, **options)) as file:
            rows = TiffRows(tmp_path / "a.tif", file.pages.first)
        np.testing.assert_array_equal(rows.region(13, 171, 40, 149), pixels[13:171, 40:149])
    (tmp_path / "a.tif").unlink()
    with pytest.raises(ReadError):
        rows.read(0, 5)


def test_terrain_of_a_view_is_valid() -> None:
    view = large.header_view((50, 60), np.uint8)
    assert view.strides == (0, 0)
    assert Terrain(view).shares()["sky"] == 0
