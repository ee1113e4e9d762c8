"""Exported files as other programs see them: scale, names, text, further pages, and the files beside them."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import tifffile
from PIL import Image
from scenes import ground, texture

import marsqe
from marsqe.errors import ExportError, SettingError
from marsqe.export import ExportOptions, atomic, read_provenance, save_enhancement
from marsqe.image import MarsImage, Product
from marsqe.results import Enhancement, Judgement

PRODUCT = Product("Curiosity", camera="Mastcam", eye="right", filter="R0", sol=12, clock="123", thumbnail=False)
SETTINGS = {"faithful": True, "region": [1, 2, 3, 4]}
MADE = {
    "software": "napari-marsqe 1",
    "enhanced": True,
    "source": {"name": "Krater – ü.jpg", "sha256": "ab", "compression": "JPEG, quality 30"},
    "model": {"name": "marsqe-swift", "weights_sha256": "cd"},
    "terrain": {"source": "drawn", "sha256": "ef"},
    "settings": SETTINGS,
}


def exif_block() -> bytes:
    exif = Image.Exif()
    exif[271], exif[272] = "MSSS", "Mastcam"
    exif.get_ifd(0x8769).update({33434: (1, 125), 36867: "2012:08:18 03:04:05"})
    block = exif.tobytes()
    return block if block.startswith(b"Exif") else b"Exif\0\0" + block


def result_of(pixels: Any, enhanced: Any = None, **metadata: Any) -> Enhancement:
    image = MarsImage.from_array(pixels, product=PRODUCT, metadata=metadata)
    terrain = ground(image)
    out = pixels if enhanced is None else enhanced
    matches = marsqe.match(image, terrain)
    return Enhancement(out, image, terrain, matches, "marsqe-swift", "cpu", 1.0, None, MADE)


@pytest.fixture
def result() -> Enhancement:
    pixels = texture(24, 33)
    return result_of(pixels, pixels // 2, exif=exif_block(), pixel_scale=(0.25, "METERS/PIXEL"))


def gdal(path: Path) -> dict[str, Any]:
    program = shutil.which("gdalinfo")
    if program is None:
        pytest.skip("gdalinfo is not installed")
    done = subprocess.run([program, "-json", str(path)], capture_output=True, check=True, timeout=60)
    return dict(json.loads(done.stdout))


def test_tifffile_reads_names_scale_and_text(tmp_path: Path, result: Enhancement) -> None:
    judged = Judgement(np.zeros((24, 33), np.float32), residual_enhanced=np.full((24, 33), 1.5, np.float32))
    options = ExportOptions(layers=("terrain", "change", "residual"))
    path = save_enhancement(result, tmp_path / "a.tif", options, judged)
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert [s.name.split(" (")[0] for s in file.series] == ["enhanced", "terrain", "change", "residual to raw"]
        enhanced, terrain, change, residual = (s.asarray() for s in file.series)
        root = ET.fromstring(file.ome_metadata)
        exif = file.pages.first.tags[34665].value
        names = [page.tags[285].value for page in file.pages]
        assert file.pages.first.tags[272].value == "Mastcam"
    np.testing.assert_array_equal(enhanced, result.pixels)
    np.testing.assert_array_equal(terrain, result.terrain.labels)
    np.testing.assert_allclose(change, np.abs(result.pixels * 1.0 - result.source.pixels).mean(axis=2), rtol=1e-6)
    assert residual.dtype == np.float32
    assert (residual == 1.5).all()
    assert names[1].startswith("terrain")
    pixels = root.find(".//{*}Pixels")
    assert pixels is not None
    assert (pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeXUnit")) == ("0.25", "m")
    facts = {m.get("K"): m.text for m in root.iterfind(".//{*}M")}
    assert facts["mission"] == "Curiosity"
    assert facts["source_file"] == "Krater – ü.jpg"
    assert exif["ExposureTime"] == (1, 125)
    with Image.open(path) as image:
        assert image.getexif().get_ifd(0x8769)[36867] == "2012:08:18 03:04:05"


def test_gdal_reads_scale_kind_and_text(tmp_path: Path, result: Enhancement) -> None:
    found = gdal(save_enhancement(result, tmp_path / "a.tif", ExportOptions(layers=("terrain",))))
    assert found["geoTransform"] == [0, 0.25, 0, 0, 0, -0.25]
    assert found["size"] == [33, 24]
    assert [band["type"] for band in found["bands"]] == ["Byte"] * 3
    text = found["metadata"][""]
    expected = {
        "MISSION": "Curiosity",
        "SOL": "12",
        "ENHANCED": "yes",
        "HELD_TO_THE_JPEG": "yes",
        "MODEL": "marsqe-swift",
    }
    assert expected.items() <= text.items()
    assert "no original observation" in text["STATEMENT"]
    assert float(text["TIFFTAG_XRESOLUTION"]) == pytest.approx(0.04)  # pixels per centimetre, which ImageJ reads


def test_georeferences_of_the_source_go_along(tmp_path: Path) -> None:
    tags = [(33550, 12, 3, (0.5, 0.5, 0.0), True), (33922, 12, 6, (0.0, 0.0, 0.0, 1000.0, 2000.0, 0.0), True)]
    tifffile.imwrite(tmp_path / "map.tif", texture(20, 20), extratags=tags)
    image = marsqe.open_image(tmp_path / "map.tif")
    result = replace(result_of(image.pixels), source=image)
    assert gdal(save_enhancement(result, tmp_path / "a.tif"))["geoTransform"] == [1000, 0.5, 0, 2000, 0, -0.5]


@pytest.mark.parametrize("compression", ["deflate", "lzw", "zstd", "none"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_compression_is_lossless_and_without_predictor(tmp_path: Path, compression: str, dtype: type) -> None:
    pixels = texture(40, 30).astype(dtype) * (251 if dtype is np.uint16 else 1)
    path = save_enhancement(result_of(pixels), tmp_path / "a.tif", ExportOptions(compression=compression))
    np.testing.assert_array_equal(marsqe.open_image(path).pixels, pixels)
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        assert page.compression.name.lower().startswith({"deflate": "adobe_deflate"}.get(compression, compression))
        assert page.predictor == 1, "ImageJ ignores the predictor of deflate"


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_numbers_and_bits_of_the_source_survive(tmp_path: Path, bits: int) -> None:
    """What is written is what was enhanced, to the last count, and opens with the same white."""
    top = 2**bits - 1
    dtype = np.uint8 if bits == 8 else np.uint16
    pixels = np.linspace(0, top, 600).round().astype(dtype).reshape(20, 30)
    result = result_of(pixels, **({} if bits in (8, 16) else {"significant_bits": bits}))
    again = marsqe.open_image(save_enhancement(result, tmp_path / "a.tif"))
    np.testing.assert_array_equal(again.pixels, pixels)
    assert again.pixels.dtype == dtype
    assert again.full_scale == top


@pytest.mark.parametrize(("bits", "depth"), [(10, "8"), (12, "8"), (16, "8"), (8, "16"), (12, "16")])
def test_other_depths_scale_as_the_record_says(tmp_path: Path, bits: int, depth: str) -> None:
    top = 2**bits - 1
    pixels = np.linspace(0, top, 600).round().astype(np.uint8 if bits == 8 else np.uint16).reshape(20, 30)
    result = result_of(pixels, **({} if bits in (8, 16) else {"significant_bits": bits}))
    path = save_enhancement(result, tmp_path / "a.tif", ExportOptions(depth=depth))
    again = marsqe.open_image(path)
    scaling = read_provenance(path)["export"]["scaling"]
    if depth == "8":
        np.testing.assert_array_equal(again.pixels, np.rint(pixels * (255 / top)).astype(np.uint8))
        assert scaling == f"round(x * 255 / {top})"
    elif bits == 8:
        np.testing.assert_array_equal(again.pixels, pixels.astype(np.uint16) * 257)
        assert (scaling, again.full_scale) == ("x * 257", 65535)
    else:
        np.testing.assert_array_equal(again.pixels, pixels)
        assert (scaling, again.full_scale) == ("none", top)


def test_sidecars_name_their_file(tmp_path: Path, result: Enhancement) -> None:
    path = save_enhancement(result, tmp_path / "a.tif", ExportOptions(sidecars=("json", "pds4", "report")))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "a.json", "a.tif", "a.xml"]
    beside = json.loads((tmp_path / "a.json").read_text(encoding="ascii"))
    assert beside["file"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert beside["record"] == read_provenance(path)
    label = ET.parse(tmp_path / "a.xml").getroot()
    assert label.findtext(".//{*}md5_checksum") == hashlib.md5(path.read_bytes()).hexdigest()
    assert label.findtext(".//{*}encoding_standard_id") == "TIFF"


def test_label_of_an_uncompressed_file_leads_to_its_arrays(tmp_path: Path, result: Enhancement) -> None:
    pdr = pytest.importorskip("pdr")
    options = ExportOptions(compression="none", layers=("terrain", "change"), sidecars=("pds4",))
    save_enhancement(result, tmp_path / "a.tif", options)
    product = pdr.read(str(tmp_path / "a.xml"))
    np.testing.assert_array_equal(product["image"], result.pixels)
    np.testing.assert_array_equal(product["layer_1"], result.terrain.labels)
    assert product["layer_2"].dtype.kind == "f"


@pytest.mark.parametrize("kind", ["gray", "colour", "16 bits", "real numbers"])
def test_the_archives_own_reader_finds_arrays_and_axes(tmp_path: Path, frame: Path, kind: str) -> None:
    """pds4_tools, which the Small Bodies Node keeps, reads label and TIFF as one product."""
    pds4_tools = pytest.importorskip("pds4_tools")
    if kind == "real numbers":
        image = marsqe.open_image(frame)
        result = replace(result_of(image.pixels), source=image, pixels=image.pixels // 2)
        options = ExportOptions("float", "none", ("terrain", "change"), ("pds4",))
        expected: Any = result.float_pixels()
    else:
        pixels = texture(24, 33, colour=kind == "colour").astype(np.uint16 if kind == "16 bits" else np.uint8)
        result = result_of(pixels * (257 if kind == "16 bits" else 1), exif=exif_block())
        options = ExportOptions("source", "none", ("terrain", "change"), ("pds4",))
        expected = result.pixels
    save_enhancement(result, tmp_path / "a.tif", options)
    found = pds4_tools.read(str(tmp_path / "a.xml"), quiet=True)
    assert [structure.id for structure in found.structures] == ["image", "layer_1", "layer_2"]
    np.testing.assert_array_equal(np.asarray(found[0].data), expected)
    assert found[0].data.dtype == expected.dtype
    np.testing.assert_array_equal(np.asarray(found[1].data), result.terrain.labels)
    axes = [axis["axis_name"] for axis in found[0].meta_data.get_axis_arrays()]
    assert axes == ["Line", "Sample", "Band"][: expected.ndim]


def test_label_keeps_the_order_of_the_information_model(tmp_path: Path, result: Enhancement) -> None:
    """What the schema fixes and can be told without it: the sequence of elements, and names that are allowed."""
    save_enhancement(result, tmp_path / "a.tif", ExportOptions(compression="none", sidecars=("pds4",)))
    root = ET.parse(tmp_path / "a.xml").getroot()

    def names(path: str) -> list[str]:
        parent = root.find(path)
        assert parent is not None
        return [child.tag.partition("}")[2] for child in parent]

    assert names(".") == ["Identification_Area", "Observation_Area", "File_Area_Observational"]
    assert names("./{*}Observation_Area")[-4:] == [
        *("Time_Coordinates", "Investigation_Area", "Observing_System", "Target_Identification")
    ]
    array = ["name", "local_identifier", "offset", "axes", "axis_index_order", "description", "Element_Array"]
    assert names(".//{*}Array_3D_Image") == [*array, "Axis_Array", "Axis_Array", "Axis_Array"]
    assert names(".//{*}File") == ["file_name", "file_size", "md5_checksum"]


def test_a_set_is_written_whole_or_not_at_all(
    tmp_path: Path, result: Enhancement, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {name: name.encode() for name in ("a.tif", "a.json", "a.xml")}
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    options = ExportOptions(sidecars=("json", "pds4"))
    real, done = atomic.os.replace, []

    def replace_two(source: Any, target: Path) -> None:
        if target.suffix == ".xml" and len(done) == 2:
            raise PermissionError(13, "open in another program")
        done.append(target)
        real(source, target)

    monkeypatch.setattr(atomic.os, "replace", replace_two)
    with pytest.raises(ExportError, match="no permission"):
        save_enhancement(result, tmp_path / "a.tif", options)
    assert [path.name for path in done[:2]] == ["a.tif", "a.json"], "else the test tests nothing"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == old
    monkeypatch.undo()
    save_enhancement(result, tmp_path / "a.tif", options)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(old)
    assert marsqe.open_image(tmp_path / "a.tif").pixels.size


def test_what_cannot_be_had_is_refused_before_anything_is_written(tmp_path: Path, result: Enhancement) -> None:
    with pytest.raises(ExportError, match="no truth"):
        save_enhancement(result, tmp_path / "a.tif", ExportOptions(layers=("residual",)))
    with pytest.raises(ExportError, match=r"\.tif"):
        save_enhancement(result, tmp_path / "a.png", ExportOptions(layers=("terrain",)))
    with pytest.raises(ExportError, match=r"\.tif"):
        save_enhancement(result, tmp_path / "a.png", ExportOptions(depth="16"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [{"depth": "12"}, {"compression": "jpeg"}, {"layers": ("sky",)}, {"layers": ("terrain", "terrain")}]
    + [{"sidecars": ("pdf",)}, {"pixel_size": 0.0}, {"pixel_size": float("nan")}],
)
def test_wrong_options_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        ExportOptions(**wrong)


def test_pixel_size_of_the_user_goes_before_the_label(tmp_path: Path, result: Enhancement) -> None:
    path = save_enhancement(result, tmp_path / "a.tif", ExportOptions(pixel_size=0.00005))
    with tifffile.TiffFile(path) as file:
        assert 'PhysicalSizeX="0.05" PhysicalSizeXUnit="mm"' in file.ome_metadata
        assert file.pages.first.resolution[0] == pytest.approx(200, rel=1e-6)
    assert marsqe.open_image(path).metadata["pixel_scale"] == (0.00005, "m")
    assert read_provenance(path)["pixels"]["metres_per_pixel"] == 0.00005
