"""Layers of ours as plain records, and back as layer data: their arrays, looks, and what we know of them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import numpy as np

from marsqe.errors import ExportError, ReadError
from napari_marsqe import evidence
from napari_marsqe import layers as conventions
from napari_marsqe.layers import LayerData
from napari_marsqe.saving.packing import Packer, Unpacker

KINDS: Final = ("image", "labels", "shapes")
_COMMON: Final = ("name", "visible", "opacity", "blending", "scale", "translate")
_OF_IMAGES: Final = ("rgb", "gamma", "contrast_limits", "interpolation2d")


def pack_layer(packer: Packer, layer: Any) -> dict[str, Any]:
    """A record of a layer; what we wrote on it goes along as far as a session can hold it."""
    kind = str(layer._type_string)
    looks = {name: _plain(getattr(layer, name)) for name in _COMMON}
    data = layer.data
    if kind == "image":
        looks |= {name: _plain(getattr(layer, name)) for name in _OF_IMAGES}
        looks["colormap"] = None if layer.rgb else _colormap(layer.colormap)
    elif kind == "labels":
        data = np.array(data)  # somebody may paint while it is being written
        looks["colours"] = [(key, np.asarray(colour)) for key, colour in layer.colormap.color_dict.items()]
    elif kind == "shapes":
        data = [np.array(corners) for corners in data]
        looks |= {"shape_type": "rectangle", "edge_color": np.asarray(layer.edge_color), "edge_width": layer.edge_width}
    known = {}
    for name, value in conventions.facts(layer).items():
        with suppress(ExportError):
            known[name] = packer.pack(value)
    return {"kind": kind, "data": packer.pack(data), "looks": packer.pack(looks), "facts": known}


def unpack_layer(unpacker: Unpacker, record: dict[str, Any]) -> LayerData:
    """The layer data of a record.

    Raises
    ------
    ReadError
        If it is damaged.
    """
    from napari.utils import Colormap
    from napari.utils.colormaps import DirectLabelColormap

    kind, looks = record["kind"], unpacker.unpack(record["looks"])
    if kind not in KINDS or not isinstance(looks, dict):
        raise ReadError("one of its layers is of an unknown kind")
    facts = {name: unpacker.unpack(value) for name, value in record["facts"].items()}
    colormap, colours = looks.pop("colormap", None), looks.pop("colours", None)
    if kind == "image" and colormap is not None:
        looks["colormap"] = Colormap(**colormap)
    if kind == "labels":
        # napari knows the colour of all other labels by the key None.
        looks["colormap"] = DirectLabelColormap(color_dict=dict(colours))
        beyond = facts.get("role") == evidence.BEYOND
        looks["features"] = evidence.beyond_features() if beyond else conventions.terrain_features()
    if kind == "shapes":
        looks["face_color"] = "transparent"
    return unpacker.unpack(record["data"]), looks | {"metadata": {conventions.KEY: facts}}, kind


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)  # napari's enums of words are strings, too
    return tuple(float(v) for v in value) if isinstance(value, list | tuple | np.ndarray) else value


def _colormap(colormap: Any) -> dict[str, Any]:
    return {
        "name": str(colormap.name),
        "colors": np.asarray(colormap.colors),
        "controls": np.asarray(colormap.controls),
        "interpolation": str(getattr(colormap.interpolation, "value", colormap.interpolation)),
    }
