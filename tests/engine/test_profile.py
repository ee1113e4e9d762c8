"""Profiles against scikit-image, edges of known blur, and the tables and histograms of a judgement by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scenes import texture
from scipy.special import erf
from skimage.measure import profile_line

from marsqe.colour import LUMA_WEIGHTS
from marsqe.errors import ExportError, SettingError
from marsqe.export.tables import write_csv
from marsqe.judgement import edge_width, judge, profile, residual_histogram, tile_facts
from marsqe.results import Matches


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize(("channel", "weights"), [("luma", LUMA_WEIGHTS), ("green", [0, 1, 0])])
def test_samples_are_those_of_scikit_image(width: int, channel: str, weights: list[float]) -> None:
    pixels, ends = texture(60, 70), ((10.3, 20.0), (40.0, 55.5))
    line = profile({"one": pixels, "gray": pixels[..., 1]}, *ends, channel=channel, width=width)
    expected = profile_line(pixels @ np.asarray(weights, float), *ends, linewidth=width, order=1, reduce_func=np.mean)
    assert line.values["one"] == pytest.approx(expected)
    assert line.distance[[0, -1]] == pytest.approx([0, np.hypot(29.7, 35.5)])
    green = profile_line(pixels[..., 1].astype(float), *ends, linewidth=width, order=1, reduce_func=np.mean)
    assert line.values["gray"] == pytest.approx(green), "gray images have but one channel"


def test_rows_of_the_table_lead_from_end_to_end() -> None:
    line = profile({"a": texture(20, 20, colour=False)}, (2, 3), (2, 8))
    rows = line.rows()
    assert [row[:3] for row in rows] == [(n, 2, 3 + n) for n in range(6)]
    assert [row[3] for row in rows] == line.values["a"].tolist()


def test_outside_the_image_nothing_is_known() -> None:
    line = profile({"a": texture(20, 20)}, (5, 15), (5, 25))
    assert np.isfinite(line.values["a"][:5]).all()
    assert np.isnan(line.values["a"][5:]).all()
    assert np.isnan(profile({"a": texture(20, 20)}, (50, 50), (60, 60)).values["a"]).all()


@pytest.mark.parametrize(
    "wrong", [{"channel": "infrared"}, {"width": 0}, {"end": (2, 3)}, {"end": (float("nan"), 1)}], ids=str
)
def test_lines_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        profile(**{"images": {"a": texture(20, 20)}, "start": (2, 3), "end": (9, 9)} | wrong)


@pytest.mark.parametrize("sigma", [1.0, 3.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_width_of_a_gaussian_edge(sigma: float, sign: int) -> None:
    """From 10 to 90 % of a Gaussian's integral it is 2.563 standard deviations."""
    at = np.arange(80.0)
    edge = 100 + sign * 40 * erf((at - 41.3) / (sigma * np.sqrt(2)))
    assert edge_width(at, edge) == pytest.approx(2.563 * sigma, rel=0.06)
    missing = np.where((at < 3) | (at > 77), np.nan, edge)
    assert edge_width(at, missing) == pytest.approx(2.563 * sigma, rel=0.06)


def test_a_slanted_edge_is_as_wide_as_the_line_that_crosses_it() -> None:
    ramp = np.clip(np.arange(100) - 45, 0, 10) * 10.0
    image = np.tile(ramp.astype(np.uint8), (100, 1))
    straight = profile({"a": image}, (50, 20), (50, 80)).edge_widths()["a"]
    slanted = profile({"a": image}, (20, 20), (80, 80)).edge_widths()["a"]
    assert straight == pytest.approx(8)
    assert slanted == pytest.approx(8 * np.sqrt(2), rel=0.02)


def test_without_an_edge_there_is_no_width() -> None:
    at = np.arange(60.0)
    assert np.isnan(edge_width(at, np.full(60, 7.0)))
    assert np.isnan(edge_width(at, np.random.default_rng(3).normal(100, 5, 60))), "noise"
    assert np.isnan(edge_width(at[:6], at[:6])), "too short to know its ends"
    assert np.isnan(edge_width(at, np.where(at % 2 == 0, 10.0, 90.0))), "stripes"


def test_table_of_tiles_by_hand() -> None:
    truth = np.full((130, 140), 50, np.uint8)
    compressed, enhanced = truth + 8, truth + 2
    enhanced[128:, 128:] = 59
    empty = np.zeros((2, 2))
    matches = Matches(np.array([[1, 4], [2, 3]], np.uint8), np.array([[5, 0], [1, 2]]), empty + 0.5, empty, empty)
    facts = tile_facts(judge(enhanced, truth, compressed=compressed), matches)
    assert [(tile.row, tile.column, tile.terrain, tile.reference) for tile in facts] == [
        (0, 0, "sky", 5),
        (0, 1, "rock", 0),
        (1, 0, "sand", 1),
        (1, 1, "soil", 2),
    ]
    last = facts[-1]
    assert (last.residual_compressed, last.residual_enhanced, last.change) == (8, 9, 1), "of its own 2 x 12 pixels"
    assert last.delta_psnr == pytest.approx(20 * np.log10(8 / 9))
    assert last.divergence == 0.5


def test_table_of_tiles_without_truth_or_matches() -> None:
    image = texture(130, 100)
    (first, second) = tile_facts(judge(image, compressed=image), None)
    assert first.terrain == ""
    assert first.reference is None
    assert first.change == second.change == 0
    assert np.isnan([first.delta_psnr, first.residual_enhanced, first.divergence]).all()
    assert tile_facts(None, None) == []


def test_histogram_of_residuals_by_hand() -> None:
    truth = np.zeros((10, 10), np.uint8)
    compressed, enhanced = truth.copy(), truth.copy()
    compressed[:5], enhanced[:1] = 20, 20
    found = residual_histogram(judge(enhanced, truth, compressed=compressed), bins=4)
    assert found.edges.tolist() == [0, 5, 10, 15, 20]
    assert found.shares["compressed"].tolist() == [0.5, 0, 0, 0.5]
    assert found.shares["enhanced"].tolist() == [0.9, 0, 0, 0.1]
    assert found.means == {"compressed": 10, "enhanced": 2}
    alone = residual_histogram(judge(enhanced, compressed=compressed), bins=4)
    assert alone.shares["change"].tolist() == [0.6, 0, 0, 0.4]
    with pytest.raises(SettingError, match="2 or more"):
        residual_histogram(judge(enhanced, compressed=compressed), bins=1)


def test_residuals_beyond_the_axis_count_in_its_last_bin() -> None:
    truth = np.zeros((100, 100), np.uint8)
    compressed = truth.copy()
    compressed[0, :10] = 200  # 0.1 % of the pixels
    found = residual_histogram(judge(truth, truth, compressed=compressed))
    assert found.edges.tolist() == [0, 1, 2]
    assert found.shares["compressed"][-1] == pytest.approx(0.001)
    assert found.shares["compressed"].sum() == pytest.approx(1)


def test_csv_is_plain_and_leaves_gaps_empty(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["a", "ΔPSNR, dB"], [[1, 0.123456789], ["x, y", float("nan")], [None, -2.0]])
    assert path.read_text(encoding="utf-8").splitlines() == ['a,"ΔPSNR, dB"', "1,0.123457", '"x, y",', ",-2"]
    with pytest.raises(ExportError):
        write_csv(tmp_path / "missing" / "t.csv", ["a"], [])


def test_bins_hold_equally_many_values() -> None:
    """Thirds of a DN, each equally often: no bin stands out."""
    truth = np.zeros((30, 30, 3), np.uint8)
    compressed = truth.copy()
    compressed[..., 0] = np.arange(900).reshape(30, 30) % 45
    found = residual_histogram(judge(truth, truth, compressed=compressed))
    assert found.edges.tolist() == list(range(16))
    assert found.shares["compressed"] == pytest.approx(np.full(15, 1 / 15))
