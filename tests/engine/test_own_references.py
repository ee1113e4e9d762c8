"""References of the user's own: cut, kept with their origin, checked when read, joined in matching, removed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenes import ground, scene, texture, truth_crop

import marsqe
from marsqe.codecs.jpeg import standard_tables
from marsqe.errors import ExportError, ReadError, SettingError
from marsqe.image import Compression, MarsImage, Product
from marsqe.matching import dictionary_of, list_own, load_dictionary, match, reference_mosaic, working_dictionary
from marsqe.matching import own as own_module
from marsqe.own_references import add_references, covering, cut_patches, loss_of, remove_reference, use_own
from marsqe.results import TILE, Region
from marsqe.terrain import Terrain

pytestmark = pytest.mark.usefixtures("own_data")
QF30 = Compression("JPEG", True, standard_tables(30), 30, True, (2, 2))


def outcrop(height: int = 2 * TILE, width: int = 3 * TILE, seed: int = 1) -> MarsImage:
    facts = {"product": Product("Curiosity", camera="Mastcam", sol=739), "compression": Compression("PNG")}
    return MarsImage.from_array(texture(height, width, seed=seed), path=Path("outcrop.png"), **facts)


def added(image: MarsImage | None = None, terrain: str = "rock", most: int = 1) -> list[str]:
    source = image or outcrop()
    return [entry.patch_id for entry in add_references(source, cut_patches(source, terrain, None, most))]


def test_what_is_added_is_there_with_its_origin(own_data: Path) -> None:
    image = outcrop()
    cuts = cut_patches(image, "rock", Region(10, 20, TILE, TILE))
    (entry,) = add_references(image, cuts, note="the same ledge, noon")
    (found,) = list_own()
    assert found.entry == entry
    np.testing.assert_array_equal(found.pixels, image.pixels[20 : 20 + TILE, 10 : 10 + TILE])
    assert (entry.terrain, entry.source, entry.x, entry.y) == ("rock", "outcrop.png", 10, 20)
    assert entry.source_sha256 == image.sha256
    assert entry.pixels_sha256 == hashlib.sha256(cuts[0].pixels.tobytes()).hexdigest()
    assert entry.product == {"mission": "Curiosity", "camera": "Mastcam", "sol": 739}
    assert (entry.note, entry.lossy, entry.compression) == ("the same ledge, noon", False, "PNG")
    assert entry.credit == "your own, from outcrop.png"
    assert entry.added.startswith("20")
    names = sorted(p.name for p in (own_data / "references").iterdir())
    assert names == [f"{entry.patch_id}.json", f"{entry.patch_id}.png"]


def test_it_joins_the_bundled_ones_in_matching() -> None:
    source = outcrop(TILE, TILE)
    image = marsqe.simulate_downlink(source.pixels, 30)
    before = match(image, ground(image, 4))
    (name,) = added(source)
    after = match(image, ground(image, 4))
    dictionary = dictionary_of(after)
    assert before.dictionary_sha256 == load_dictionary().sha256 != after.dictionary_sha256 == dictionary.sha256
    assert dictionary.patch_id(4, int(after.references[0, 0])) == name
    assert after.divergences[0, 0] < 0.001 < 0.01 < before.divergences[0, 0]
    np.testing.assert_array_equal(after.candidates[..., :6], before.candidates)
    np.testing.assert_array_equal(reference_mosaic(image, after), source.pixels)
    assert (reference_mosaic(image, before) != source.pixels).any(), "older matches count in their own dictionary"


def test_its_twin_is_made_with_the_files_own_tables() -> None:
    added()
    dictionary = working_dictionary()
    coarse, fine = (
        dictionary.compressed(4, Compression("JPEG", True, standard_tables(q), q, True, (2, 2)), colour=True)[6]
        for q in (20, 80)
    )
    raw = dictionary.reference(4, 6).astype(float)
    assert np.abs(coarse - raw).mean() > np.abs(fine - raw).mean() > 0


def test_the_hash_names_what_was_offered() -> None:
    (first,) = added()
    one = working_dictionary().sha256
    added(outcrop(seed=2))
    assert working_dictionary().sha256 not in (one, load_dictionary().sha256)
    assert [e.name(i) for i, e in enumerate(working_dictionary().entries[4])][6] == first, "older ones keep their place"
    for reference in list_own()[1:]:
        remove_reference(reference.patch_id)
    assert working_dictionary().sha256 == one


def test_matches_whose_references_are_gone_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    image = outcrop(TILE, TILE)
    (name,) = added(image)
    found = match(image, ground(image, 4))
    remove_reference(name)
    np.testing.assert_array_equal(reference_mosaic(image, found), image.pixels)
    monkeypatch.setattr(own_module, "_KNOWN", {})
    with pytest.raises(SettingError, match="match the image again"):
        reference_mosaic(image, found)


def test_switched_off_they_stay_but_are_not_used(own_data: Path) -> None:
    added()
    assert len(working_dictionary().entries[4]) == 7
    use_own(False)
    assert working_dictionary() is load_dictionary()
    assert len(list_own()) == 1
    use_own(True)
    use_own(True)
    assert len(working_dictionary().entries[4]) == 7


def test_removed_it_is_gone(own_data: Path) -> None:
    (name,) = added()
    remove_reference(name)
    assert list_own() == []
    assert list((own_data / "references").iterdir()) == []
    with pytest.raises(SettingError, match="no reference 'own-"):
        remove_reference(name)
    with pytest.raises(SettingError, match="no reference"):
        remove_reference("../../etc")


@pytest.mark.parametrize(
    ("compression", "onboard", "lost"),
    [
        (Compression("PNG"), None, ""),
        (Compression("PDS3"), "ICER lossless", ""),
        (Compression("PDS3"), "LOCO", ""),
        (Compression("none"), "uncompressed", ""),
        (QF30, None, "JPEG, quality 30"),
        (Compression("PNG"), "JPEG quality 85", "JPEG quality 85 on board"),
        (Compression("PDS4"), "ICER", "ICER on board"),
    ],
)
def test_a_lossy_source_needs_to_be_wanted(compression: Compression, onboard: str | None, lost: str) -> None:
    facts = {"compression": compression, "product": Product(onboard_compression=onboard)}
    image = MarsImage.from_array(texture(TILE, TILE), **facts)
    assert loss_of(image).startswith(lost)
    assert bool(loss_of(image)) == bool(lost)
    cuts = cut_patches(image, "soil")
    if lost:
        with pytest.raises(SettingError, match="has lost detail"):
            add_references(image, cuts)
        assert list_own() == []
    (entry,) = add_references(image, cuts, allow_lossy=True)
    assert entry.lossy == bool(lost)


def test_the_terrain_decides_the_class_where_a_patch_bears_one() -> None:
    labels = np.full((2 * TILE, 3 * TILE), 3, np.uint8)
    labels[:TILE, TILE : 2 * TILE] = 4
    labels[: TILE // 2, :TILE] = 2  # mixed: sand over soil
    cuts = [(c.terrain, c.x // TILE, c.y // TILE) for c in cut_patches(outcrop(), Terrain(labels))]
    assert cuts == [("soil", 2, 0), ("soil", 0, 1), ("soil", 1, 1), ("soil", 2, 1), ("rock", 1, 0)]


def test_of_many_patches_those_are_taken_that_cover_best() -> None:
    smooth, rough = texture(TILE, TILE, seed=5) // 8 + 100, texture(TILE, TILE, seed=6)
    noise = np.random.default_rng(0).integers(0, 256, (TILE, TILE, 3)).astype(np.uint8)
    patches = [rough, smooth, np.roll(rough, 9, 0), np.roll(smooth, 9, 1), noise]
    chosen = covering(patches, 3)
    assert len({(0, 1, 0, 1, 2)[i] for i in chosen}) == 3, "one of each kind"
    assert covering(patches, 5) == [0, 1, 2, 3, 4]


def test_blank_black_and_blown_out_ground_is_no_reference() -> None:
    pixels = texture(TILE, 4 * TILE, seed=3)
    pixels[:, :TILE] = 120
    pixels[:, TILE : TILE + 40] = 0
    pixels[:, 2 * TILE : 2 * TILE + 40] = 255
    image = MarsImage.from_array(pixels)
    assert [cut.x for cut in cut_patches(image, "rock")] == [3 * TILE]
    with pytest.raises(SettingError, match="blank, blown out, black"):
        cut_patches(image, "rock", Region(0, 0, 3 * TILE, TILE))


@pytest.mark.parametrize(
    ("terrain", "region", "most", "words"),
    [
        ("rock", Region(0, 0, 127, 200), 1, "128 x 128 pixels, the region 127 x 200"),
        ("rock", Region(-1, 0, 200, 200), 1, "inside the image"),
        ("rock", Region(300, 0, 128, 128), 1, "inside the image"),
        ("lava", None, 1, "no class 'lava'.*sky, sand, soil, rock"),
        (Terrain(np.ones((5, 5), np.uint8)), None, 1, "differ in size"),
        ("rock", None, 0, "1 to 64"),
    ],
)
def test_what_cannot_be_cut_is_refused(terrain: str | Terrain, region: Region | None, most: int, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        cut_patches(outcrop(), terrain, region, most)


def test_gray_and_deep_sources_are_taken_as_eight_bit_colour() -> None:
    deep = (texture(TILE, TILE, colour=False).astype(np.uint16) * 16).astype(np.uint16)
    image = MarsImage.from_array(deep, metadata={"significant_bits": 12})
    (cut,) = cut_patches(image, "sand")
    np.testing.assert_allclose(cut.pixels[..., 0], deep / 4095 * 255, atol=0.51)
    assert (cut.pixels[..., 0] == cut.pixels[..., 2]).all()
    (entry,) = add_references(image, [cut])
    assert not entry.colour
    gray = marsqe.simulate_downlink(texture(TILE, TILE, colour=False), 30)
    assert match(gray, ground(gray, 2)).references[0, 0] == 6


def test_twice_the_same_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    added()
    with pytest.raises(SettingError, match="already"):
        added()
    assert len(added(terrain="soil")) == 1, "as another class it is another reference"
    monkeypatch.setattr("marsqe.own_references.MOST_OWN", 2)
    with pytest.raises(SettingError, match="2 references of rock are the most"):
        image = outcrop(seed=9)
        add_references(image, cut_patches(image, "rock", None, 2))
    assert len(list_own()) == 2
    with pytest.raises(SettingError, match="501 characters"):
        image = outcrop(seed=9)
        add_references(image, cut_patches(image, "rock", None, 1), note="x" * 501)


def damage_pixels(card: Path) -> None:
    Image.new("RGB", (TILE, TILE)).save(card.with_suffix(".png"))


def damage_size(card: Path) -> None:
    Image.new("RGB", (TILE + 1, TILE)).save(card.with_suffix(".png"))


def damage_class(card: Path) -> None:
    card.write_text(card.read_text().replace('"rock"', r'"\ud800"'))


def damage_claim(card: Path) -> None:
    card.write_text(card.read_text().replace('"rock"', '"sand"'))


def damage_fields(card: Path) -> None:
    card.write_text(json.dumps(json.loads(card.read_text()) | {"run": "me"}))


def swell(card: Path) -> None:
    card.with_suffix(".png").write_bytes(b"\x89PNG" + b"0" * 2**19)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (damage_pixels, "not the one that its card names"),
        (damage_size, "129 x 128"),
        (damage_class, r"'\ud800' is none of"),
        (damage_claim, "not that of its class"),
        (lambda card: card.write_text(json.dumps(json.loads(card.read_text()) | {"x": "1"})), "otherwise: x"),
        (damage_fields, "otherwise: run"),
        (lambda card: card.write_text(json.dumps(json.loads(card.read_text()) | {"n" * 9999: 0})), "n…"),
        (swell, "larger than"),
        (lambda card: card.write_text("{"), "no JSON"),
        (lambda card: card.write_text("[]"), "no JSON object"),
        (lambda card: card.with_suffix(".png").unlink(), "cannot be read"),
        (lambda card: card.with_suffix(".png").write_bytes(b"\x80\x04pickle"), "cannot be read"),
    ],
)
def test_a_damaged_one_is_named_and_can_be_removed(harm: object, words: str, own_data: Path) -> None:
    (name,) = added()
    harm(own_data / "references" / f"{name}.json")  # type: ignore[operator]
    (found,) = list_own()
    assert found.entry is None
    assert words in found.problem
    with pytest.raises(ReadError, match=f"reference {name} is damaged .*marsqe references remove {name}"):
        working_dictionary()
    remove_reference(name)
    assert working_dictionary() is load_dictionary()


def test_a_folder_that_cannot_be_made_is_told(own_data: Path) -> None:
    own_data.write_text("a file where the folder should be")
    with pytest.raises(ExportError, match="MARSQE_DATA"):
        added()
    with pytest.raises(ExportError):
        use_own(False)


def test_a_result_tells_which_own_references_it_used(tiny: None) -> None:
    image = scene(TILE, 2 * TILE)
    source = MarsImage.from_array(truth_crop(TILE, 2 * TILE), path=Path("same.png"))
    (name, other) = (e.patch_id for e in add_references(source, cut_patches(source, "soil")))
    twin = marsqe.simulate_downlink(source.pixels, 30)
    result = marsqe.enhance(twin, "marsqe-lite", "cpu", terrain=ground(twin, 3))
    record = result.provenance
    assert record["references_own"] == [name, other]
    assert {r["patch_id"] for r in record["references_own_used"]} == {name, other}
    assert record["references_own_used"][0]["source"] == "same.png"
    assert record["dictionary_sha256"] == working_dictionary().sha256
    assert json.dumps(record)
    plain = marsqe.enhance(image, "marsqe-lite", "cpu", terrain=ground(image, 4))
    assert plain.provenance["references_own_used"] == []
