"""Fixtures that several files share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scenes import VALIDATION, Spy, bundle_tiny, jpeg_bytes, patchwork, put, texture

import marsqe
from marsqe.enhancement import networks, pipeline
from marsqe.image import MarsImage
from marsqe.matching import Dictionary, load_dictionary
from marsqe.progress import Progress, Steps
from marsqe.terrain import Terrain
from marsqe.train.corpus import GROUPS

SWIFT, REF, LITE, FULL = "marsqe-swift", "marsqe-swift-ref", "marsqe-lite", "marsqe"


Json = dict[str, Any]


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """All presets with tiny random weights."""
    bundle_tiny(tmp_path / "weights", monkeypatch, SWIFT, REF, LITE, FULL)
    yield
    networks.loaded.cache_clear()


@pytest.fixture
def shipped() -> Any:
    """The weights that come with the package."""
    networks.loaded.cache_clear()
    yield
    networks.loaded.cache_clear()


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    network = Spy()
    monkeypatch.setattr(pipeline, "loaded", lambda name, device: network)
    return network


@pytest.fixture
def understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Terrain by rule and tiny networks, so that what is tested is the command line."""

    def steps(image: MarsImage, device: str = "auto") -> Steps[Terrain]:
        yield Progress("Recognising terrain", 0, 1)
        return patchwork(image.shape)

    monkeypatch.setattr(pipeline, "segment_steps", steps)
    monkeypatch.setattr(marsqe, "segment_steps", steps, raising=False)
    bundle_tiny(tmp_path / "weights", monkeypatch, "marsqe-swift", "marsqe-lite")
    yield
    networks.loaded.cache_clear()


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    path = tmp_path / "frame.jpg"
    path.write_bytes(jpeg_bytes(texture(60, 150), 30))
    return path


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], tuple[Json, str]]:
    """Standard output as the one JSON document that it must be, and standard error."""

    def read() -> tuple[Json, str]:
        out, err = capsys.readouterr()
        return json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")), err

    return read


@pytest.fixture(scope="session")
def bundled() -> Dictionary:
    return load_dictionary()


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as training expects it: two images for each group, one of each validation set."""
    folder = tmp_path_factory.mktemp("data")
    for seed, split in enumerate(GROUPS):
        for index in range(2):
            put(folder, split, f"{index}.png", texture(150, 170, colour="gray" not in split, seed=10 * seed + index))
    for seed, split in enumerate(VALIDATION):
        put(folder, split, "v.png", texture(41, 50, seed=90 + seed))
    return folder


@pytest.fixture
def terrain_by_rule(understood: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The rule of ``understood`` at every size: stripes of the whole image, in windows, too."""
    from marsqe.enhancement import pipeline
    from marsqe.scale import mosaic
    from marsqe.segmentation.large import LargeTerrain

    def steps(read: Any, header: Any, device: str = "auto") -> Any:
        terrain = yield from pipeline.segment_steps(header, device)
        return LargeTerrain(terrain.labels, None, header.shape, terrain.source)

    monkeypatch.setattr(mosaic, "segment_large_steps", steps)
