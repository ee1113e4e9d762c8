"""LPIPS against the values published with it."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scenes import texture

from marsqe.errors import SettingError, WeightsError
from marsqe.judgement import lpips, lpips_to, parameters, perceptual

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"


def example(name: str) -> NDArray[np.uint8]:
    with Image.open(DATA / f"lpips_ex_{name}.png") as image:
        return np.asarray(image)


def test_published_pair() -> None:
    reference = example("ref")
    assert lpips(example("p0"), reference) == pytest.approx(0.722, abs=1e-3)
    assert lpips(example("p1"), reference) == pytest.approx(0.138, abs=1e-3)


def test_depth_gray_and_equality() -> None:
    a, b = example("p0"), example("ref")
    eight = lpips(a, b)
    assert lpips(a.astype(np.uint16) * 257, b.astype(np.uint16) * 257) == pytest.approx(eight, abs=1e-6)
    assert lpips(b, a) == pytest.approx(eight, abs=1e-6)
    assert lpips(a, a) == 0
    gray = [p[..., 1] for p in (a, b)]
    assert lpips(*gray) == pytest.approx(lpips(*(np.repeat(p[..., None], 3, axis=2) for p in gray)), abs=1e-6)


def test_many_images_to_one_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """The truth's features serve every image, and change nothing."""
    reference, images = example("ref"), [example("p0"), example("p1"), example("ref")]
    expected = [lpips(image, reference) for image in images]
    calls: list[int] = []
    sound = perceptual._features
    monkeypatch.setattr(perceptual, "_features", lambda *a: (calls.append(1), sound(*a))[1])
    to = lpips_to(reference)
    assert [to(image) for image in images] == expected
    assert len(calls) == len(images) + 1
    with pytest.raises(SettingError, match="same size"):
        to(images[0][1:])


def test_smallest_size() -> None:
    a, b = (texture(31, 31, seed=s) for s in (0, 1))
    assert lpips(a, b) > 0
    assert math.isnan(lpips(a[1:], b[1:]))


def test_damaged_parameters_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(parameters.SHA256, "niqe-pristine.npz", "0" * 64)
    with pytest.raises(WeightsError, match=r"niqe-pristine.*Reinstall"):
        parameters.parameter_bytes("niqe-pristine.npz")
    monkeypatch.setitem(parameters.SHA256, "none.npz", "0" * 64)
    with pytest.raises(WeightsError, match=r"missing.*Reinstall"):
        parameters.parameter_bytes("none.npz")


def test_notice_names_every_file_with_its_hash() -> None:
    notice = (ROOT / "resources" / "NOTICE.md").read_text(encoding="utf-8").splitlines()
    bundled = sorted(p for p in (ROOT / "resources" / "metrics").iterdir() if p.is_file())
    assert {p.name for p in bundled} == set(parameters.SHA256)
    for path in [*bundled, *DATA.glob("lpips_ex_*.png")]:
        assert path.stat().st_size <= 6e6
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        assert any(f"`{path.name}`" in line and f"`{found}`" in line for line in notice), f"{path.name}: {found}"


def test_metrics_load_torch_only_when_used() -> None:
    code = "import marsqe.judgement, sys; sys.exit('torch' in sys.modules or 'torchmetrics' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
