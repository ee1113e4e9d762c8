"""Product identity from file names, against a table of real names whose fields were read from the specifications.

The names come from NASA's archives and raw image pages, and from data sets made of them. Sites, drives, filters and
qualities of three of them were checked against the labels inside the files.
"""

from __future__ import annotations

import csv
import string
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from marsqe.cli import main
from marsqe.image import Product
from marsqe.read import open_image
from marsqe.read.names import identify
from marsqe.read.names.fields import two_sign_counter

SOL = 88775.244  # seconds
HAZCAM = "FLF_0766_0734953260_255ECM_N0382208FHAZ02008_01_095J01"


def table() -> dict[str, Product]:
    with (Path(__file__).parents[1] / "data" / "product_names.csv").open(encoding="utf-8", newline="") as file:
        return {row.pop("name"): product_of(row) for row in csv.DictReader(file)}


def product_of(row: dict[str, str]) -> Product:
    facts: dict[str, object] = {key: text or None for key, text in row.items()}
    for key in ("sol", "site", "drive", "downsampling"):
        facts[key] = int(row[key]) if row[key] else None
    facts["thumbnail"] = {"yes": True, "no": False, "": None}[row["thumbnail"]]
    words = row["onboard_compression"].split("JPEG quality ")
    facts["onboard_quality"] = int(words[1]) if len(words) == 2 else None
    return Product(**facts)  # type: ignore[arg-type]


NAMES = table()


@pytest.mark.parametrize(("name", "expected"), NAMES.items(), ids=NAMES)
def test_real_names(name: str, expected: Product) -> None:
    assert identify(name) == expected


def test_the_table_is_broad() -> None:
    known = [product for product in NAMES.values() if product.mission]
    assert len(known) >= 100
    assert len({product.camera for product in known}) >= 20
    assert {product.mission for product in known} == {"Perseverance", "Curiosity", "Opportunity", "Spirit", "InSight"}
    for field in fields(Product):
        assert any(getattr(product, field.name) for product in known), f"no name shows {field.name}"


@pytest.mark.parametrize("mission", ["Perseverance", "InSight"])
def test_sols_and_clocks_of_the_table_agree(mission: str) -> None:
    """One beginning of sol 0 fits all names that carry both, so neither field is read from a wrong place."""
    pairs = [(p.sol, float(p.clock)) for p in map(identify, NAMES) if p.mission == mission and p.sol is not None]
    latest = min(clock - SOL * sol for sol, clock in pairs)
    earliest = max(clock - SOL * (sol + 1) for sol, clock in pairs)
    assert earliest < latest


@pytest.mark.parametrize("name", NAMES)
def test_folders_case_and_wrapping_do_not_matter(name: str) -> None:
    others = f"a/b c/{name}", f"C:\\images\\{name}", name.lower(), name.upper(), f"my {Path(name).stem}-copy (2).png"
    for other in others:
        assert identify(other) == NAMES[name], other


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (HAZCAM, "Perseverance, front Hazcam (left), sol 766, JPEG quality 95 on board"),
        (
            "ZR6_0036_0670134141_081RAD_N0031392ZCAM03107_1100LUJ01.IMG",
            "Perseverance, Mastcam-Z (right), filter R6 (1022 nm), sol 36, uncompressed on board",
        ),
        (
            "NRM_0002_0667130166_842ECM_T0010052AUT_04096_00_4I1J01.png",
            "Perseverance, Navcam (right), panchromatic, sol 2, thumbnail, downsampled 16x16, "
            "ICER lossy, about 1 bit per pixel on board",
        ),
        ("3427MD0012760000202657E01", "Curiosity, MARDI, sol 3427, JPEG 4:2:2 on board"),
        ("1N491020376ILFCNY9P0706L0M1.IMG", "Opportunity, Navcam (left)"),
        ("739_1.jpg", ""),
    ],
)
def test_summary(name: str, sentence: str) -> None:
    assert identify(name).summary() == sentence


@pytest.mark.parametrize(
    ("code", "compression", "quality"),
    [
        ("LI", "ICER lossless", None),
        ("LL", "LOCO lossless", None),
        ("LM", "Malin lossless", None),
        ("LU", "uncompressed", None),
        ("I0", "ICER lossy", None),
        ("I2", "ICER lossy, about 2 bits per pixel", None),
        ("I9", "ICER lossy", None),
        ("01", "JPEG quality 1", 1),
        ("99", "JPEG quality 99", 99),
        ("00", None, None),
        ("A0", None, None),
        ("__", None, None),
    ],
)
def test_compression_codes(code: str, compression: str | None, quality: int | None) -> None:
    found = identify(HAZCAM[:49] + code + HAZCAM[51:])
    assert found == replace(identify(HAZCAM), onboard_compression=compression, onboard_quality=quality)


@pytest.mark.parametrize(
    ("kind", "compression", "thumbnail"),
    [
        ("A", "uncompressed, 16 bits", False),
        ("B", "uncompressed", False),
        ("C", "Malin lossless", False),
        ("D", "gray JPEG", False),
        ("E", "JPEG 4:2:2", False),
        ("F", "JPEG 4:4:4", False),
        ("G", "uncompressed", True),
        ("H", "gray JPEG", True),
        ("I", "JPEG 4:4:4", True),
        ("M", "JPEG 4:2:2", False),
        ("S", "gray JPEG", False),
        ("U", "gray JPEG", True),
    ],
)
def test_kinds_of_curiositys_colour_cameras(kind: str, compression: str, thumbnail: bool) -> None:
    found = identify(f"1664MR0086340000802438{kind}00_DRCL")
    assert (found.onboard_compression, found.thumbnail, found.sol) == (compression, thumbnail, 1664)


@pytest.mark.parametrize(
    ("signs", "value"),
    [("00", 0), ("99", 99), ("A0", 100), ("AA", 110), ("CN", 195), ("Y9", 973), ("ZZ", 1035), ("0A", 1036)]
    + [("9Z", 1295), ("##", None), ("__", None)],
)
def test_position_counters_of_spirit_and_opportunity(signs: str, value: int | None) -> None:
    assert two_sign_counter(signs) == value


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".jpg",
        "X" + HAZCAM,  # part of a longer word
        HAZCAM[:-3] + ".png",  # a field is missing
        "XX" + HAZCAM[2:],  # no such camera
        HAZCAM.replace("_0766_", "_0766T"),  # a test on the ground
        "3N491020376ILFCNY9P0706L0M1.IMG",  # the twin of Opportunity on the ground
        "1664MR0086340000802438Z00_DRCL.IMG",  # no such kind
        "NLB_41721104७EDR_F0060000NCAM00364M1.jpg",  # a digit of another script
    ],
)
def test_nearly_a_name_is_unknown(name: str) -> None:
    assert identify(name) == Product()


def test_two_products_in_one_name_are_unknown_but_one_twice_is_known() -> None:
    other = HAZCAM.replace("FLF", "FRF")
    assert identify(f"{HAZCAM}_{other}.png") == Product()
    assert identify(f"{HAZCAM}_{HAZCAM}.png") == identify(HAZCAM)


@given(st.text())
def test_any_text_is_unknown(text: str) -> None:
    assert identify(text) == Product()


@given(st.data())
def test_damaged_names_never_raise(data: st.DataObject) -> None:
    name = list(data.draw(st.sampled_from(sorted(NAMES))))
    for place in data.draw(st.lists(st.integers(0, len(name) - 1), max_size=3)):
        name[place] = data.draw(st.one_of(st.sampled_from(string.ascii_uppercase + "0129_#."), st.characters()))
    found = identify("".join(name))
    assert isinstance(found.summary(), str)
    assert found == Product() or found.camera


def test_opened_files_know_their_product(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, plain = tmp_path / f"{HAZCAM}.png", tmp_path / "plain.png"
    for path in (file, plain):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    assert open_image(file).product == identify(HAZCAM) != Product()
    assert open_image(plain).product == Product()
    assert main(["info", str(file), str(plain)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "; Perseverance, front Hazcam (left), sol 766, JPEG quality 95 on board; PNG" in first
    assert "8-bit; PNG" in second
