"""The rules of the house: who may import whom, what importing costs, what the package contains."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import marsqe

ROOT = Path(__file__).parents[1]
ENGINE = ROOT / "src" / "marsqe"
PLUGIN = ROOT / "napari_marsqe"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

SCREEN = {"napari", "napari_marsqe", "qtpy", "magicgui", "superqt", "vispy", "PyQt5", "PyQt6", "PySide2", "PySide6"}
# Rooms in the order in which an image walks through them: none imports one that comes later.
ORDER = ("read", "segmentation", "matching", "enhancement", "judgement", "export")
# What a room may import besides itself, of the other rooms and the networks.
ROOMS = {
    "codecs": {"read"},  # two sides of one matter: what is compressed here is opened there
    "read": {"codecs"},
    "networks": {"codecs"},
    "segmentation": {"networks", "codecs"},
    "matching": {"segmentation", "networks", "codecs"},
    "enhancement": {"networks", "matching", "segmentation", "codecs"},
    "judgement": {"codecs"},
    "export": {"read", "codecs", "matching", "judgement"},
    # Many images, or one that is too large: all rooms one after another, and none of them knows of it.
    "scale": {"codecs", "read", "networks", "segmentation", "matching", "enhancement", "judgement", "export"},
}


def python_files(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def module_name(path: Path) -> str:
    base = ROOT / "src" if path.is_relative_to(ENGINE) else ROOT
    parts = path.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, at any depth, as an absolute name with its line."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base, node.lineno
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "marsqe" and parts[1] in ROOMS else None


def test_scan_sees_every_kind_of_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan itself: nested, relative and plain imports are found (else the tests below prove nothing)."""
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "ENGINE", tmp_path / "src" / "marsqe")
    path = tmp_path / "src" / "marsqe" / "judgement" / "some.py"
    path.parent.mkdir(parents=True)
    path.write_text("def f():\n    import qtpy.QtCore\nfrom ..networks import swift\nfrom marsqe import enhancement\n")
    found = {name for name, _ in imports(path)}
    assert {"qtpy.QtCore", "marsqe.networks", "marsqe.networks.swift", "marsqe.enhancement"} <= found


def test_engine_knows_no_screen() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in python_files(ENGINE)
        for name, line in imports(path)
        if name.split(".")[0] in SCREEN
    ]
    assert not wrong


def test_rooms_import_only_what_the_card_allows() -> None:
    wrong = []
    for path in python_files(ENGINE):
        room = room_of(module_name(path))
        if room is None:
            continue
        for name, line in imports(path):
            other = room_of(name)
            if other not in (None, room) and other not in ROOMS[room]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} {room} imports {other}")
    assert not wrong


def test_the_card_goes_one_way() -> None:
    for room, allowed in ROOMS.items():
        if room in ORDER:
            later = set(ORDER[ORDER.index(room) + 1 :])
            assert not allowed & later, f"{room} may not need {allowed & later}"


def test_the_card_names_every_room() -> None:
    rooms = {path.name for path in ENGINE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms - {"cli", "train", "reproduce"} == set(ROOMS)


def test_only_the_training_room_imports_training() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in python_files(ENGINE, PLUGIN)
        if not module_name(path).startswith(("marsqe.train", "marsqe.reproduce", "marsqe.cli.training"))
        for name, line in imports(path)
        if name.startswith("marsqe.train")
    ]
    assert not wrong


@pytest.mark.parametrize("package", ["marsqe", "napari_marsqe"])
def test_import_is_light(package: str) -> None:
    """Neither torch, a network, nor Qt is loaded by importing a package, as napari's start does."""
    heavy = ("torch", "qtpy", "napari", "PyQt6", "PySide6", "skimage", "scipy", "marsqe.networks", "magicgui")
    code = f"import {package}, sys; sys.exit(', '.join(sorted(set({heavy}) & set(sys.modules))) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_workbench_starts_without_what_reads_and_writes_files() -> None:
    """Libraries of image files, and all that computes, load when the first file or step needs them."""
    heavy = ("PIL", "tifffile", "imagecodecs", "jpeglib", "scipy", "skimage", "torch", "marsqe.networks", "xml.etree")
    code = (
        "import napari, napari.qt.threading, napari._qt.qt_main_window, sys; before = set(sys.modules)\n"
        "import napari_marsqe.workbench\n"
        f"sys.exit(', '.join(sorted(set({heavy}) & (set(sys.modules) - before))) or 0)"
    )
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=240, env=environment
    )
    assert done.returncode == 0, done.stderr


def test_public_names_are_not_hidden_by_folders() -> None:
    """A subpackage called as a function is would replace it in ``marsqe`` as soon as something imports it."""
    folders = {path.stem for path in ENGINE.iterdir()}
    assert marsqe.__all__
    assert not folders & set(marsqe.__all__)
    assert all(not isinstance(getattr(marsqe, name), ModuleType) for name in marsqe.__all__)


def test_every_library_that_is_imported_is_declared() -> None:
    project = PYPROJECT["project"]
    required = set(map(distribution, project["dependencies"]))
    optional = required | {distribution(line) for extra in project["optional-dependencies"].values() for line in extra}
    names = {"PIL": "pillow", "skimage": "scikit-image"}
    ours = {"marsqe", "napari_marsqe"}
    for path in python_files(ENGINE, PLUGIN):
        declared = optional if module_name(path).startswith("marsqe.train") else required
        for name, line in imports(path):
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top not in ours:
                needed = names.get(top, top).replace("_", "-")
                assert needed in declared, f"{path.relative_to(ROOT)}:{line} needs {needed}, which pyproject.toml lacks"


def distribution(requirement: str) -> str:
    return re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def test_packages_are_the_folders() -> None:
    declared = set(PYPROJECT["tool"]["setuptools"]["packages"])
    folders = {module_name(path) for path in python_files(ENGINE, PLUGIN) if path.name == "__init__.py"}
    assert declared == folders | {"marsqe.resources", "napari_marsqe_manifest"}
    bare = {path.parent for path in python_files(ENGINE, PLUGIN)} - {
        path.parent for path in python_files(ENGINE, PLUGIN) if path.name == "__init__.py"
    }
    assert not bare, "folders of modules without __init__.py are left out of the wheel"


def test_no_module_at_the_root() -> None:
    """A .py file beside pyproject.toml would be installed as part of the manifest's package."""
    assert not list(ROOT.glob("*.py"))


def test_typed_markers_are_packaged() -> None:
    data = PYPROJECT["tool"]["setuptools"]["package-data"]
    for package, folder in (("marsqe", ENGINE), ("napari_marsqe", PLUGIN)):
        assert "py.typed" in data[package]
        assert (folder / "py.typed").is_file()


def test_dependencies_name_no_qt_binding_and_have_lower_bounds() -> None:
    for requirement in PYPROJECT["project"]["dependencies"]:
        assert not re.match(r"(?i)pyqt|pyside|napari\[", requirement)
        assert ">=" in requirement


def test_files_are_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in python_files(ENGINE, PLUGIN, ROOT / "tests", ROOT / "scripts", ROOT / "benchmarks")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert not long


def test_the_weights_of_luma_are_written_once() -> None:
    """Where they are used is found by their name. Degrading rounds by its own, on which trained weights depend."""
    files = python_files(ENGINE, PLUGIN)
    written = {module_name(path) for path in files if "0.587" in path.read_text(encoding="utf-8")}
    assert "marsqe.colour" in written
    assert written <= {"marsqe.colour", "marsqe.train.degrade"}


def calls(path: Path) -> Iterator[str]:
    """Every call in a file, as it is written, beginning with the function's name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node)


def is_safe_load(path: Path, call: str) -> bool:
    """Whether a call is no ``torch.load``, or the restricted one of training, which starts from published encoders."""
    if not call.startswith("torch.load("):
        return True
    return module_name(path).startswith("marsqe.train") and "weights_only=True" in call


def test_only_the_command_line_prints() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in python_files(ENGINE, PLUGIN)
        if not module_name(path).startswith("marsqe.cli") and any(call.startswith("print(") for call in calls(path))
    ]
    assert not wrong


def test_nothing_unpickles() -> None:
    """Weights are safetensors: a downloaded file must not be able to run code."""
    wrong = []
    for path in python_files(ENGINE, PLUGIN):
        loaded = {name.split(".")[0] for name, _ in imports(path)} & {"pickle", "dill", "joblib", "cloudpickle"}
        wrong += [f"{path.relative_to(ROOT)} imports {name}" for name in loaded]
        wrong += [f"{path.relative_to(ROOT)} calls torch.load" for call in calls(path) if not is_safe_load(path, call)]
        source = path.read_text(encoding="utf-8")
        wrong += [f"{path.relative_to(ROOT)} allows pickle" for _ in re.findall(r"allow_pickle\s*=\s*True", source)]
    assert not wrong


def test_repository_is_clean() -> None:
    """No stray outputs, no large file, and no path of somebody's own machine in what is shipped."""
    suffixes = {".py", ".toml", ".yaml", ".yml", ".md", ".sh", ".json", ""}
    skipped = {".git", ".venv", ".venv-pyside6", ".hypothesis", "build", "dist", "out", "runs", "__pycache__"}
    own_path = re.compile(r"(?<![\w.])/(?:home|Users|work|root)/\w")
    wrong = []
    for path in ROOT.rglob("*"):
        relative = path.relative_to(ROOT)
        made = any(part in skipped or part.endswith((".egg-info", "_cache")) for part in relative.parts)
        if made or not path.is_file():
            continue
        if path.stat().st_size > 30 * 2**20:
            wrong.append(f"{relative} is larger than 30 MiB")
        if path.suffix in {".pt", ".pth", ".pkl", ".ckpt", ".orig", ".rej"}:
            wrong.append(f"{relative} does not belong here")
        if path.suffix in suffixes and own_path.search(path.read_text(encoding="utf-8", errors="replace")):
            wrong.append(f"{relative} names a path of one machine")
    assert not wrong
