"""Products of planetary archives: PDS3, PDS4 and VICAR, attached and detached labels.

``tests/data/pds`` holds crops of three products (see NOTICE.md); the rest is put together here.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from products import attached, image_object, pds3, pds4, vicar

from marsqe.errors import MissingExtraError, ReadError
from marsqe.image import Product
from marsqe.read import decode_image, open_image
from marsqe.read.onboard import Onboard, describe
from marsqe.read.vicar import parse_label

pytest.importorskip("pdr", reason="needs the extra pds")

PRODUCTS = Path(__file__).parents[1] / "data" / "pds"
NAVCAM = PRODUCTS / "1N491020376ILFCNY9P0706L0M1.IMG"
HAZCAM = PRODUCTS / "FLF_0396_0702101051_786ECM_N0180000FHAZ02220_01_195J01.IMG"
MASTCAM = PRODUCTS / "ZR6_0036_0670134141_081RAD_N0031392ZCAM03107_1100LUJ01.IMG"
SEGMENTS = {"INST_CMPRS_NAME": "ICER", "INST_CMPRS_DESC": "Wavelets"}
SAMPLES = np.random.default_rng(2).integers(0, 4096, (3, 6, 5))


def raw(file: Path, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """The samples at the end of a product, read without any library."""
    data = file.read_bytes()
    return np.frombuffer(data[-np.dtype(dtype).itemsize * int(np.prod(shape)) :], dtype).reshape(shape)


# ---- real products, cropped


def test_opportunity_navcam_keeps_its_twelve_bits() -> None:
    image = open_image(NAVCAM)
    assert image.pixels.dtype == np.uint16
    np.testing.assert_array_equal(image.pixels, raw(NAVCAM, ">u2", (64, 96)))
    assert image.metadata["significant_bits"] == 12
    assert 255 < image.pixels.max() < 4096
    assert "INST_CMPRS_RATE                 = 3.02007" in image.metadata["label"]
    assert image.sha256 == hashlib.sha256(NAVCAM.read_bytes()).hexdigest()
    facts = image.compression
    # Wavelets: there are no tables, so nothing may take it for a JPEG.
    assert (facts.codec, facts.lossy, facts.tables, facts.quality) == ("ICER", True, None, None)
    assert facts.bits_per_pixel == pytest.approx(3.02007)
    assert image.product.summary() == "Opportunity, Navcam (left), sol 4087, ICER lossy, 3.02 bits per pixel on board"


def test_perseverance_hazcam_is_colour_and_was_a_jpeg() -> None:
    image = open_image(HAZCAM)
    np.testing.assert_array_equal(image.pixels, np.moveaxis(raw(HAZCAM, "u1", (3, 64, 96)), 0, -1))
    facts = image.compression
    # The request in the same label says 0.
    assert (facts.codec, facts.lossy, facts.quality, facts.quality_exact) == ("JPEG on board", True, 95, False)
    assert facts.subsampling_name == "4:2:2"
    assert facts.tables is None
    assert np.isnan(facts.bits_per_pixel)
    assert image.product.onboard_quality == 95
    assert "significant_bits" not in image.metadata


def test_perseverance_mastcam_keeps_sixteen_bits() -> None:
    image = open_image(MASTCAM)
    np.testing.assert_array_equal(image.pixels, raw(MASTCAM, ">u2", (64, 96)))
    assert image.metadata["significant_bits"] == 15
    assert (image.compression.codec, image.compression.lossy) == ("PDS3", False)
    assert image.compression.bits_per_pixel == 16
    assert image.product.onboard_compression == "uncompressed"


@pytest.mark.parametrize("file", [NAVCAM, HAZCAM, MASTCAM], ids=["Navcam", "Hazcam", "Mastcam-Z"])
def test_the_vicar_image_within_is_the_same(file: Path) -> None:
    data = file.read_bytes()
    whole, inner = open_image(file), decode_image(data[data.index(b"LBLSIZE=") :])
    np.testing.assert_array_equal(inner.pixels, whole.pixels)
    assert inner.product == whole.product  # by the identifier in the label: there is no name
    assert inner.compression.lossy == whole.compression.lossy
    assert inner.metadata.get("significant_bits") == whole.metadata.get("significant_bits")


@pytest.mark.parametrize("file", [NAVCAM, HAZCAM, MASTCAM], ids=["Navcam", "Hazcam", "Mastcam-Z"])
@pytest.mark.parametrize("missing", [1, 5000, 20_000, 45_000])
def test_cut_short(tmp_path: Path, file: Path, missing: int, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / file.name).write_bytes(file.read_bytes()[:-missing])
    with pytest.raises(ReadError, match="cut short or damaged"):
        open_image(tmp_path / file.name)
    assert capfd.readouterr() == ("", "")


def test_a_renamed_product_is_known_by_its_label(tmp_path: Path) -> None:
    (tmp_path / "from my colleague.img").write_bytes(NAVCAM.read_bytes())
    assert open_image(tmp_path / "from my colleague.img").product == open_image(NAVCAM).product


# ---- layouts


@pytest.mark.parametrize("dtype", ["u1", ">u2", ">i2"])
@pytest.mark.parametrize("bands", [1, 3])
def test_pds3(tmp_path: Path, bands: int, dtype: str) -> None:
    samples = (SAMPLES[:bands] % (256 if dtype == "u1" else 4096)).astype(dtype)
    (tmp_path / "a.img").write_bytes(attached(samples, ("SAMPLE_BIT_MASK = 2#0000111111111111#",)))
    image = open_image(tmp_path / "a.img")
    expected = samples[0] if bands == 1 else np.moveaxis(samples, 0, -1)
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.pixels.dtype == (np.uint8 if dtype == "u1" else np.uint16)
    assert image.metadata.get("significant_bits") == (None if dtype == "u1" else 12)
    assert image.product == Product()
    assert image.compression.bits_per_pixel == 8 * samples.dtype.itemsize * bands


def test_a_mask_that_the_samples_exceed_is_not_believed(tmp_path: Path) -> None:
    samples = np.full((1, 4, 4), 300, ">u2")
    (tmp_path / "a.img").write_bytes(attached(samples, ("SAMPLE_BIT_MASK = 2#11111111#",)))
    assert "significant_bits" not in open_image(tmp_path / "a.img").metadata


def test_pixel_scale_of_a_map(tmp_path: Path) -> None:
    groups = ("OBJECT = IMAGE_MAP_PROJECTION", "MAP_SCALE = 0.005 <m/pixel>", "END_OBJECT = IMAGE_MAP_PROJECTION")
    (tmp_path / "a.img").write_bytes(attached(SAMPLES[:1].astype("u1"), groups=groups))
    assert open_image(tmp_path / "a.img").metadata["pixel_scale"] == (0.005, "m/pixel")


@pytest.mark.parametrize("opened", ["scene.LBL", "scene.IMG"])
def test_detached_label_of_pds3(tmp_path: Path, opened: str) -> None:
    samples = SAMPLES.astype(">u2")
    lines = ["RECORD_BYTES = 10", '^IMAGE = "scene.IMG"', *image_object(samples)]
    (tmp_path / "scene.LBL").write_bytes(pds3(lines))
    (tmp_path / "scene.IMG").write_bytes(samples.tobytes())
    np.testing.assert_array_equal(open_image(tmp_path / opened).pixels, np.moveaxis(samples, 0, -1))


@pytest.mark.parametrize("opened", ["scene.xml", "scene.img"])
def test_pds4(tmp_path: Path, opened: str) -> None:
    samples = SAMPLES.astype(">u2")
    onboard = (
        "<img:Imaging><img:Onboard_Compression><img:onboard_compression_class>Lossless</img:onboard_compression_class>"
        "<img:onboard_compression_type>ICER</img:onboard_compression_type>"
        '<img:onboard_compression_rate unit="bits/pixel">6.5</img:onboard_compression_rate>'
        "</img:Onboard_Compression></img:Imaging>"
    )
    (tmp_path / "scene.xml").write_bytes(pds4("scene.img", samples, onboard))
    (tmp_path / "scene.img").write_bytes(samples.tobytes())
    image = open_image(tmp_path / opened)
    np.testing.assert_array_equal(image.pixels, np.moveaxis(samples, 0, -1))
    assert (image.compression.codec, image.compression.lossy) == ("ICER", False)
    assert image.compression.bits_per_pixel == 6.5
    assert image.product.onboard_compression == "ICER lossless"
    assert "<img:onboard_compression_type>ICER<" in image.metadata["label"]


@pytest.mark.parametrize("order", ["BSQ", "BIL", "BIP"])
@pytest.mark.parametrize("high", [False, True])
@pytest.mark.parametrize(("dtype", "prefix", "headers"), [("u1", 0, 0), ("i2", 0, 2), ("i2", 7, 0), ("u1", 3, 1)])
def test_vicar(tmp_path: Path, order: str, high: bool, dtype: str, prefix: int, headers: int) -> None:
    samples = (SAMPLES % (256 if dtype == "u1" else 4096)).astype(dtype)
    (tmp_path / "a.vic").write_bytes(vicar(samples, order=order, high=high, prefix=prefix, headers=headers))
    image = open_image(tmp_path / "a.vic")
    np.testing.assert_array_equal(image.pixels, np.moveaxis(samples, 0, -1))
    # What was used, not what was asked for.
    assert (image.compression.codec, image.compression.lossy) == ("LOCO", False)


def test_items_of_a_vicar_label() -> None:
    label = parse_label("LBLSIZE=99  NAME='it''s (one)'  PROPERTY='P'  LIST=('a, b',2,3.5)  X=-4  TASK='T'  X='5'")
    assert label[""] == {"LBLSIZE": 99, "NAME": "it's (one)"}
    assert label["P"] == {"LIST": ("a, b", 2, "3.5"), "X": -4}
    assert label["T"] == {"X": "5"}


# ---- what labels say of the compression


@pytest.mark.parametrize(
    ("block", "told", "expected"),
    [
        (None, None, ("VICAR", False, None, None)),
        ({"INST_CMPRS_NAME": "NONE"}, None, ("VICAR", False, "uncompressed", None)),
        ({"INST_CMPRS_NAME": "ICER ADAPTIVE (ICER)"}, None, ("ICER", True, "ICER lossy", None)),
        ({"INST_CMPRS_NAME": "ICER"}, "ICER lossless", ("ICER", False, "ICER lossless", None)),
        ({"INST_CMPRS_NAME": "ICER", "INST_CMPRS_DESC": "Lossy"}, "ICER lossless", ("ICER", True, "ICER lossy", None)),
        (SEGMENTS | {"INST_CMPRS_SEGMENT_QUALITY": (0, 0.0)}, None, ("ICER", False, "ICER lossless", None)),
        (SEGMENTS | {"INST_CMPRS_SEGMENT_QUALITY": (0, 5.2)}, None, ("ICER", True, "ICER lossy", None)),
        ({"INST_CMPRS_NAME": "JPEG", "INST_CMPRS_QUALITY": 80}, None, ("JPEG on board", True, "JPEG quality 80", 80)),
        ({"INST_CMPRS_NAME": "JPEG", "INST_CMPRS_QUALITY": "UNK"}, None, ("JPEG on board", True, "JPEG", None)),
        ({"INST_CMPRS_NAME": "MSSS LOSSLESS"}, None, ("MSSS LOSSLESS", False, "MSSS LOSSLESS", None)),
        ({"INST_CMPRS_NAME": "SOMETHING  NEW"}, None, ("SOMETHING NEW", True, "SOMETHING NEW", None)),
    ],
)
def test_words_of_labels(block: dict[str, Any] | None, told: str | None, expected: tuple[Any, ...]) -> None:
    found: Onboard = describe(block, "VICAR", told, colour=False, stored=8)
    assert (found.compression.codec, found.compression.lossy, found.words, found.quality) == expected
    assert found.compression.tables is None


# ---- what is refused


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (attached(SAMPLES[:1].astype(">f4")), "float32 numbers.*rescale"),
        (attached(-SAMPLES[:1].astype(">i2")), "negative samples, down to -"),
        (attached(SAMPLES[:2].astype("u1")), r"shape \(2, 6, 5\)"),
        (attached(SAMPLES[:1].astype("u1")).replace(b"LINES = 6", b"LINES = 999999"), "above the limit"),
        (pds3(["RECORD_BYTES = 80"]), "PDS product of 0 images"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "no label of a PDS4 product"),
        (pds4("missing.img", SAMPLES.astype("u1")), "damaged|0 images"),
        (vicar(SAMPLES.astype("f4")), "VICAR type REAL"),
        (vicar(SAMPLES.astype("u1")).replace(b"COMPRESS='NONE'", b"COMPRESS='BASIC'"), "compressed"),
        (vicar(SAMPLES.astype("u1"))[:-1], "1 bytes are missing"),
        (vicar(SAMPLES.astype("u1"))[:200], "label is incomplete"),
        (vicar(SAMPLES.astype("u1")).replace(b"NL=6", b"NL=9"), "bytes are missing"),
        (vicar(SAMPLES.astype("u1")).replace(b"FORMAT=", b"FORMOT="), "damaged"),
    ],
)
def test_refused(tmp_path: Path, data: bytes, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.img").write_bytes(data)
    with pytest.raises(ReadError, match=words):
        open_image(tmp_path / "a.img")
    with pytest.raises(ReadError, match=words):
        decode_image(data)
    assert capfd.readouterr() == ("", "")


def test_bare_data_without_a_label(tmp_path: Path) -> None:
    (tmp_path / "a.IMG").write_bytes(SAMPLES.astype(">u2").tobytes())
    with pytest.raises(ReadError, match="not an image"):
        open_image(tmp_path / "a.IMG")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pdr", None)
    with pytest.raises(MissingExtraError, match=r'pip install "napari-marsqe\[pds\]"'):
        open_image(HAZCAM)
    data = HAZCAM.read_bytes()
    assert decode_image(data[data.index(b"LBLSIZE=") :]).shape == (64, 96)  # VICAR needs none
