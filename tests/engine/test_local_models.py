"""Weights of the user's own: checked when imported, listed beside the bundled ones, never chosen unasked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save, save_file
from scenes import TINY, enhanced, scene

import marsqe
from marsqe.cli import main
from marsqe.enhancement import networks
from marsqe.errors import ExportError, SettingError, WeightsError
from marsqe.local_models import import_model, remove_model
from marsqe.networks import registry
from marsqe.networks.build import build_network
from marsqe.networks.cost import count_parameters
from marsqe.weights import local_folder, read_card, state_of

pytestmark = pytest.mark.usefixtures("own_data")
GAINS = {"val/ours": {"30": {"mean": 1.2, "worst": 0.4}}}


def made(folder: Path, name: str = "outcrop-lite", kind: str = "marsqe-lite", **fields: Any) -> Path:
    """Tiny weights with random numbers and their card, as somebody may have been sent them."""
    torch.manual_seed(3)
    network = build_network(registry.PRESETS[kind].kind, TINY[kind])
    path = folder / f"{name}.safetensors"
    save_file(network.state_dict(), path)
    card = {
        "name": name,
        "kind": "enhancement",
        "network": registry.PRESETS[kind].kind,
        "config": TINY[kind],
        "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "validation": GAINS,
    }
    path.with_suffix(".json").write_text(json.dumps(card | fields))
    return path


def row_of(name: str, **options: Any) -> dict[str, Any]:
    return next(row for row in marsqe.list_models(**options) if row["name"] == name)


def test_an_imported_model_is_listed_and_enhances(tmp_path: Path) -> None:
    path = made(tmp_path)
    card = import_model(path)
    assert card["imported"]["file"] == path.name
    row = row_of("outcrop-lite", verify=True)
    assert (row["local"], row["bundled"], row["available"], row["state"]) == (True, False, True, "verified")
    assert row["validation"] == GAINS
    assert row["uses_references"]
    assert row["parameters"] == count_parameters(registry.load("outcrop-lite")) == card["parameters"]
    assert row["macs_1152x1600"] > row["macs_cached"] > 0
    result = enhanced(scene(130, 140), "outcrop-lite")
    assert result.model == "outcrop-lite"
    assert result.provenance["model"] == {"name": "outcrop-lite", "weights_sha256": card["weights_sha256"]}
    networks.loaded.cache_clear()


def test_it_is_never_chosen_unasked(tmp_path: Path) -> None:
    import_model(made(tmp_path, kind="marsqe-swift", validation={"val/msl_mastcam": {"30": {"mean": 99.0}}}))
    for device in ("cpu", "cuda"):
        assert registry.choose("auto", device).name in registry.PRESETS
    assert registry.choose("outcrop-lite", "cpu").name == "outcrop-lite"


def test_a_card_of_training_tells_the_network_by_its_preset(tmp_path: Path) -> None:
    path = made(tmp_path, "marsqe-lite")
    card = json.loads(path.with_suffix(".json").read_text())
    del card["network"]
    other = tmp_path / "card.json"
    other.write_text(json.dumps(card))
    with pytest.raises(SettingError, match=r"begins with marsqe.*for example my-lite"):
        import_model(path, other)
    assert import_model(path, other, "my-lite")["network"] == "lite"
    assert read_card("my-lite")["imported"]["card_name"] == "marsqe-lite"


def test_removed_it_is_gone_and_bundled_ones_stay(tmp_path: Path) -> None:
    import_model(made(tmp_path))
    remove_model("outcrop-lite")
    assert list(local_folder().iterdir()) == []
    with pytest.raises(SettingError, match=r"no model 'outcrop-lite'"):
        registry.find("outcrop-lite")
    with pytest.raises(SettingError, match="none of your own"):
        remove_model("outcrop-lite")
    with pytest.raises(SettingError, match="comes with napari-marsqe"):
        remove_model("marsqe-swift")
    with pytest.raises(SettingError, match="none of your own"):
        remove_model("../outcrop")


@pytest.mark.parametrize("name", ["marsqe-mine", "marsqe", "auto", "../up", "a/b", "Ü", "", "-x", "a" * 49])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    path = made(tmp_path)
    with pytest.raises(SettingError, match="--name"):
        import_model(path, name=name or " ")


def test_a_name_is_given_once(tmp_path: Path) -> None:
    path = made(tmp_path)
    import_model(path)
    before = (local_folder() / "outcrop-lite.safetensors").read_bytes()
    with pytest.raises(SettingError, match="already"):
        import_model(path)
    assert (local_folder() / "outcrop-lite.safetensors").read_bytes() == before
    import_model(path, name="outcrop-2")


@pytest.mark.parametrize("ending", [".pt", ".pth", ".ckpt", ".PTH", ".bin"])
def test_pickles_are_refused_unopened(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"weights{ending}"
    with pytest.raises(WeightsError, match=r"not opened.*convert it with: python -c .*save_file.*weights_only=True"):
        import_model(path)  # it does not even exist


def renamed_pickle(path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, path)
    rehash(path)


def rehash(path: Path, **fields: Any) -> None:
    card = json.loads(path.with_suffix(".json").read_text())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(card | {"weights_sha256": digest} | fields))


def edited(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        tensors = load_file(path)
        change(tensors)
        path.write_bytes(save(tensors))
        rehash(path)

    return harm


def first(tensors: dict[str, torch.Tensor]) -> str:
    return sorted(tensors)[0]


HARM: list[tuple[Callable[[Path], object], str]] = [
    (renamed_pickle, "is none; it was not opened"),
    (lambda p: p.write_bytes(p.read_bytes() + b"0"), "not what its card names"),
    (lambda p: (p.write_bytes(p.read_bytes()[:-9]), rehash(p)), "cannot be read"),
    (lambda p: (p.write_bytes(b""), rehash(p)), "is none; it was not opened"),
    (edited(lambda t: t.pop(first(t))), r"1 tensors differ, the first is '.*', absent in the file"),
    (edited(lambda t: t.update(more=torch.zeros(2))), r"'more', 2 in the file and absent in the network"),
    (edited(lambda t: t.update({first(t): torch.full_like(t[first(t)], float("nan"))})), "not finite"),
    (edited(lambda t: t.update({first(t): t[first(t)].double()})), "torch.float64"),
    (lambda p: rehash(p, config={"widths": [10**9] * 3}), "no whole number from 0 to 1024"),
    (lambda p: rehash(p, config={"widths": [8] * 500}), "more than 128 values"),
    (lambda p: rehash(p, config={"widths": "8"}), "no whole number"),
    (lambda p: rehash(p, config={"colour": 1}), "cannot build a network"),
    (lambda p: rehash(p, config=TINY["marsqe-lite"] | {"reduction": 0}), "cannot build a network"),
    (lambda p: rehash(p, network="gpt"), r"add \"network\", one of .*full, lite, swift"),
    (lambda p: rehash(p, weights_sha256=None), "no model's card"),
    (lambda p: rehash(p, config=[]), "no model's card"),
    (lambda p: p.with_suffix(".json").write_text("{"), "card cannot be used.*no JSON"),
    (lambda p: p.with_suffix(".json").unlink(), "card cannot be used.*cannot be read"),
    (lambda p: p.with_suffix(".json").write_text(" " * (2**20 + 1)), "larger than"),
    (lambda p: p.unlink(), "cannot be read"),
]


@pytest.mark.parametrize(("harm", "words"), HARM)
def test_what_is_not_right_is_refused_and_leaves_nothing(
    tmp_path: Path, harm: Callable[[Path], object], words: str
) -> None:
    path = made(tmp_path)
    harm(path)
    with pytest.raises(WeightsError, match=words):
        import_model(path)
    assert not local_folder().exists()


def test_too_large_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marsqe.local_models.MOST_WEIGHTS", 100)
    with pytest.raises(WeightsError, match="larger than 100 bytes"):
        import_model(made(tmp_path))


def test_what_was_changed_since_is_seen(tmp_path: Path) -> None:
    import_model(made(tmp_path))
    weights, card = (local_folder() / f"outcrop-lite.{end}" for end in ("safetensors", "json"))
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert state_of("outcrop-lite") == row_of("outcrop-lite", verify=True)["state"] == "altered"
    with pytest.raises(WeightsError, match=r"not those that its card names.*marsqe models remove outcrop-lite"):
        registry.load("outcrop-lite")
    weights.unlink()
    row = row_of("outcrop-lite", verify=True)
    assert (row["state"], row["available"]) == ("missing", False)
    assert "are missing" in row["problem"]
    weights.write_bytes(content)
    for text in ("{", "[]", json.dumps(json.loads(card.read_text()) | {"parameters": "many"})):
        card.write_text(text)
        row = row_of("outcrop-lite", verify=True)
        assert not row["available"]
        assert "damaged" in row["problem"] or "lacks" in row["problem"]
    assert row_of("marsqe-swift")["available"], "the others are listed all the same"


def test_a_strange_table_of_gains_is_none(tmp_path: Path) -> None:
    for index, validation in enumerate(([1], {"a": 3}, {"a": {"30": {"mean": "x"}}}, "good")):
        import_model(made(tmp_path, f"m{index}", validation=validation))
        assert row_of(f"m{index}")["validation"] is None


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, own_data: Path) -> None:
    own_data.write_text("a file")
    with pytest.raises(ExportError, match="MARSQE_DATA"):
        import_model(made(tmp_path))


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


def test_the_command_line_imports_lists_verifies_and_removes(
    tmp_path: Path, said: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    bundled = [row["name"] for row in marsqe.list_models() if row["bundled"]]
    path = made(tmp_path)
    assert run("models", "import", path, "--name", "ours", "--json") == 0
    assert said()[0]["results"][0]["name"] == "ours"
    assert run("models", "import", path, "--name", "ours") == 1
    assert "already" in capsys.readouterr().err
    assert run("models", "--json") == 0
    rows = said()[0]["results"]
    assert rows == marsqe.list_models(verify=True)
    assert {r["name"]: r["state"] for r in rows if r["available"]} == dict.fromkeys([*bundled, "ours"], "verified")
    assert run("models", "list") == 0
    assert "(your own, verified)\n    val/ours: QF 30 +1.20 dB" in capsys.readouterr().out
    assert run("models", "verify") == 0
    assert capsys.readouterr().out == "".join(f"{name}: verified\n" for name in [*bundled, "ours"])
    (local_folder() / "ours.safetensors").write_bytes(b"0")
    assert run("models", "verify", "--json") == 1
    document = said()[0]
    assert [r["state"] for r in document["results"]] == [*(["verified"] * len(bundled)), "altered"]
    assert document["errors"][0]["input"] == "ours"
    assert run("models", "remove", "nobody", "ours") == 1
    out, err = capsys.readouterr()
    assert out == "removed ours\n"
    assert "none of your own" in err
    assert run("models", "import", tmp_path / "x.pth") == 1
    assert "not opened" in capsys.readouterr().err
