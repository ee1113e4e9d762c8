"""The sample images that come with the package: real frames of three rovers, each as a JPEG and with its truth."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

from marsqe.errors import SettingError

Kind = Literal["compressed", "truth"]
"""Which file of a sample: the JPEG, or the pixels from which it was made."""


@dataclass(frozen=True)
class Sample:
    """One bundled image. Source and credit of each are listed in ``resources/NOTICE.md``.

    Attributes
    ----------
    name : str
        Short name, for the command line.
    title : str
        What is to be seen.
    mission : str
        Rover and camera.
    compressed : str
        File name of the JPEG (quality factor 30, 4:2:0).
    truth : str
        File name of the lossless pixels.
    credit : str
        Credit line to print beside the image.
    """

    name: str
    title: str
    mission: str
    compressed: str
    truth: str
    credit: str


def _sample(name: str, title: str, mission: str, credit: str) -> Sample:
    return Sample(name, title, mission, f"{name}.jpg", f"{name}.truth.png", credit)


SAMPLES: Final = (
    _sample(
        "perseverance-hazcam",
        "Boulders in wind-blown sand",
        "Perseverance, front Hazcam, sol 766",
        "NASA/JPL-Caltech",
    ),
    _sample(
        "curiosity-mastcam",
        "Layered outcrop under the sky",
        "Curiosity, Mastcam, sol 739",
        "NASA/JPL-Caltech/MSSS; mosaic: MarsScapes (Liu et al. 2023)",
    ),
    _sample(
        "opportunity-hazcam",
        "Bright slabs on a crater rim (gray)",
        "Opportunity, front Hazcam",
        "NASA/JPL-Caltech",
    ),
    _sample(
        "curiosity-navcam",
        "Flaky rocks and sand ripples (gray)",
        "Curiosity, Navcam, sol 1347",
        "NASA/JPL-Caltech",
    ),
)
"""All samples; the first is the one that the demonstration takes."""


def get_sample(name: str) -> Sample:
    """Return the sample of this name.

    Raises
    ------
    SettingError
        If there is none of that name; the message lists the names.
    """
    for sample in SAMPLES:
        if sample.name == name:
            return sample
    names = ", ".join(sample.name for sample in SAMPLES)
    raise SettingError(f"there is no sample named {name!r}; choose one of: {names}")


def sample_path(name: str, kind: Kind = "compressed") -> Path:
    """Path of a sample's JPEG or of its truth.

    Parameters
    ----------
    name : str
        ``Sample.name``.
    kind : {"compressed", "truth"}
        The JPEG, or the lossless pixels from which it was made.

    Raises
    ------
    SettingError
        If the name or the kind is unknown.
    """
    sample = get_sample(name)
    if kind not in ("compressed", "truth"):
        raise SettingError(f"a sample has a 'compressed' and a 'truth' file, not {kind!r}")
    file = sample.compressed if kind == "compressed" else sample.truth
    return Path(str(files("marsqe.resources") / "samples" / file))
