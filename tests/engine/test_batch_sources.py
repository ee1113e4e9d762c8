"""Which files a batch takes, and how their results are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from marsqe.errors import SettingError
from marsqe.scale.sources import collect


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("one/a.jpg", "one/deep/b.jpg", "two/a.jpg", "two/A.png", "two/p.IMG", "two/p.LBL", "two/.hidden"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def names(*inputs: str | Path, out: Path, **options: object) -> list[str]:
    return [source.output for source in collect(inputs, out, **options)]  # type: ignore[arg-type]


def test_folder_alone_and_with_its_folders(tree: Path) -> None:
    assert names(tree / "one", out=tree / "out") == ["a.tif"]
    assert names(tree / "one", out=tree / "out", recursive=True) == ["a.tif", "deep/b.tif"]


def test_labels_beside_products_and_hidden_files_are_no_inputs(tree: Path) -> None:
    found = collect([tree / "two"], tree / "out")
    assert {source.path.name for source in found} == {"a.jpg", "A.png", "p.IMG"}


def test_order_and_repetition_change_nothing(tree: Path) -> None:
    one, two = tree / "one", tree / "two"
    first = collect([one, two, one / "a.jpg"], tree / "out")
    assert first == collect([one / "a.jpg", two, one, two], tree / "out")


def test_clashing_names_all_get_the_hash_of_their_path(tree: Path) -> None:
    found = names(tree / "one", tree / "two", out=tree / "out")
    assert len({name.casefold() for name in found}) == len(found) == 4
    clashing = [name for name in found if name.casefold().startswith("a")]
    assert all(len(name) == len("a-01234567.tif") for name in clashing)
    assert found == names(tree / "two", tree / "one", out=tree / "out")


def test_patterns_and_lists(tree: Path) -> None:
    assert names(str(tree / "one" / "*" / "b*.jpg"), str(tree / "**" / "b.jpg"), out=tree / "out") == ["b.tif"]
    (tree / "list.txt").write_text("# chosen by hand\none/a.jpg\n\none/deep/b.jpg\n")
    assert names(tree / "list.txt", out=tree / "out") == ["a.tif", "b.tif"]
    (tree / "list.csv").write_text("sol,file\n12,one/deep/b.jpg\n")
    assert names(tree / "list.csv", out=tree / "out", ending=".png") == ["b.png"]


def test_what_does_not_exist_stays_an_input_that_will_fail(tree: Path) -> None:
    (source,) = collect([str(tree / "no*.jpg")], tree / "out")
    assert source.path == tree / "no*.jpg"


def test_results_are_no_inputs(tree: Path) -> None:
    out = tree / "one" / "enhanced"
    out.mkdir()
    (out / "a.tif").write_bytes(b"x")
    assert names(tree / "one", out=out, recursive=True) == ["a.tif", "deep/b.tif"]
    with pytest.raises(SettingError, match="output folder"):
        names(tree / "one", out=tree / "one")


def test_truths_are_found_by_place_then_by_stem(tree: Path) -> None:
    for name in ("truth/deep/b.png", "truth/a.tif"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(b"x")
    found = {s.output: s.truth for s in collect([tree / "one"], tree / "out", recursive=True, truth=tree / "truth")}
    assert found == {"a.tif": tree / "truth/a.tif", "deep/b.tif": tree / "truth/deep/b.png"}
    with pytest.raises(SettingError, match="no folder"):
        collect([tree / "one"], tree / "out", truth=tree / "nowhere")
