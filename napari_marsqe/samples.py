"""Sample data contributions: real rover images with their originals."""

from __future__ import annotations

from napari_marsqe.layers import COMPRESSED, LayerData, source_layer, truth_layer


def open_sample(name: str) -> list[LayerData]:
    """A bundled sample: its original below, the compressed image on top."""
    import marsqe
    from marsqe.samples import sample_path

    compressed = marsqe.open_image(sample_path(name, "compressed"))
    truth = marsqe.open_image(sample_path(name, "truth"))
    return [truth_layer(truth, compressed), source_layer(compressed, COMPRESSED)]


# The manifest wants one command, so one function, for each sample.


def open_perseverance_hazcam() -> list[LayerData]:
    """Boulders in wind-blown sand."""
    return open_sample("perseverance-hazcam")


def open_curiosity_mastcam() -> list[LayerData]:
    """Layered outcrop under the sky."""
    return open_sample("curiosity-mastcam")


def open_opportunity_hazcam() -> list[LayerData]:
    """Bright slabs on a crater rim."""
    return open_sample("opportunity-hazcam")


def open_curiosity_navcam() -> list[LayerData]:
    """Flaky rocks and sand ripples."""
    return open_sample("curiosity-navcam")
