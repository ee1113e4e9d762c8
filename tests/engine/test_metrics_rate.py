"""Bits per pixel and BD-rate, by hand."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from marsqe.errors import MissingExtraError, SettingError
from marsqe.judgement import bd_rate, bits_per_pixel

RATE = [0.2, 0.4, 0.8, 1.6]
QUALITY = [28.0, 30.5, 33.0, 36.0]


def test_bits_per_pixel() -> None:
    assert bits_per_pixel(1000, (40, 50)) == 4
    assert bits_per_pixel(1000, (40, 50, 3)) == 4
    for size, shape in ((-1, (4, 4)), (10, (4,)), (10, (0, 4))):
        with pytest.raises(SettingError, match="no rate"):
            bits_per_pixel(size, shape)


def test_half_the_rate_at_equal_quality_is_minus_fifty_percent() -> None:
    pytest.importorskip("bjontegaard")
    half = [r / 2 for r in RATE]
    assert bd_rate(half, QUALITY, RATE, QUALITY) == pytest.approx(-50, abs=1e-6)
    assert bd_rate(RATE, QUALITY, half, QUALITY) == pytest.approx(100, abs=1e-6)
    assert bd_rate(RATE, QUALITY, RATE, QUALITY) == pytest.approx(0, abs=1e-6)
    assert bd_rate(half[::-1], QUALITY[::-1], RATE, QUALITY) == pytest.approx(-50, abs=1e-6)


def test_bd_rate_is_its_definition() -> None:
    """Cubic fits of log rate, averaged over the shared qualities on a fine grid; curves of unequal length too."""
    pytest.importorskip("bjontegaard")
    rate, quality = [0.15, 0.33, 0.6, 1.0, 1.5], [28.9, 31.2, 33.1, 34.6, 36.4]
    grid = np.linspace(max(quality[0], QUALITY[0]), min(quality[-1], QUALITY[-1]), 200_001)
    fits = [np.polyval(np.polyfit(q, np.log10(r), 3), grid) for r, q in ((rate, quality), (RATE, QUALITY))]
    expected = (10 ** (fits[0] - fits[1]).mean() - 1) * 100
    assert bd_rate(rate, quality, RATE, QUALITY) == pytest.approx(expected, abs=1e-3)


def test_curves_without_a_shared_quality_have_no_delta() -> None:
    assert math.isnan(bd_rate(RATE, [q + 20 for q in QUALITY], RATE, QUALITY))


@pytest.mark.parametrize(
    ("rate", "quality", "message"),
    [
        (RATE[:3], QUALITY[:3], "4 or more"),
        (RATE, QUALITY[:3], "4 or more"),
        ([0, *RATE[1:]], QUALITY, "above zero"),
        (RATE, [*QUALITY[:3], float("inf")], "finite"),
        (RATE, [*QUALITY[:3], QUALITY[2]], "must rise"),
        ([0.2, 0.2, 0.8, 1.6], QUALITY, "must rise"),
    ],
)
def test_curves_that_are_none_are_refused(rate: list[float], quality: list[float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        bd_rate(rate, quality, RATE, QUALITY)
    with pytest.raises(SettingError, match=message):
        bd_rate(RATE, QUALITY, rate, quality)


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    with pytest.raises(MissingExtraError, match=r"BD-rate needs bjontegaard.*napari-marsqe\[metrics\]"):
        bd_rate(RATE, QUALITY, RATE, QUALITY)
