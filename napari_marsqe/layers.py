"""Layer conventions, all of them: how the engine's values look in napari.

Every layer of ours carries ``metadata["marsqe"]``: a dict with its "role", and the engine's value that it shows. What
is known of a layer is read from there, never from its name, which the user may change.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import SettingError
from marsqe.image import MarsImage, Pixels
from marsqe.results import TILE, Enhancement, Judgement, Matches, Region
from marsqe.terrain import CLASSES, PALETTES, Terrain
from napari_marsqe.frame import Frame
from napari_marsqe.settings import engine_settings

LayerData = tuple[Any, dict[str, Any], str]

KEY: Final = "marsqe"
COMPRESSED, TRUTH, IMAGE = "compressed", "truth", "image"
TERRAIN, REFERENCES, ENHANCED = "terrain", "references", "enhanced"
PREVIEW: Final = "preview"
RESIDUAL, RESIDUAL_BEFORE, GAIN, CHANGE = "residual", "residual before", "gain", "change"
TILE_MARK, PROFILE = "tile", "profile"
SOURCES: Final = (COMPRESSED, TRUTH, IMAGE)

_MEASURED: Final = (RESIDUAL, RESIDUAL_BEFORE, GAIN, CHANGE)

# Brown for worse, teal for better, told apart by colour-blind readers; light where nothing changed.
_GAIN_COLOURS: Final = ["#8c510a", "#d8b365", "#f5f5f5", "#5ab4ac", "#01665e"]


def name_of(stem: str, what: str) -> str:
    """A layer name: ``<stem> · <what>``."""
    return f"{stem} · {what}"


def facts(layer: Any) -> dict[str, Any]:
    """What we wrote on a layer; empty for layers that are not ours."""
    value = layer.metadata.get(KEY)
    return value if isinstance(value, dict) else {}


def role_of(layer: Any) -> str | None:
    """Role of one of our layers, None for others."""
    return facts(layer).get("role")


def source_layer(image: MarsImage, role: str | None = None) -> LayerData:
    """An opened image. Without a role: "compressed" if its codec lost information, else a plain image."""
    role = role or (COMPRESSED if image.compression.lossy else IMAGE)
    name = image.name if role == IMAGE else name_of(image.name, role)
    return image.pixels, _image_arguments(image.pixels, name, image.full_scale) | _metadata(role, image=image), "image"


def truth_layer(truth: MarsImage, of: MarsImage) -> LayerData:
    """The uncompressed original of ``of``."""
    arguments = _image_arguments(truth.pixels, name_of(of.name, TRUTH), truth.full_scale)
    return truth.pixels, arguments | _metadata(TRUTH, image=truth, of=of.sha256), "image"


def is_truth_of(layer: Any, image: MarsImage) -> bool:
    """Whether a layer is the original of just these pixels: a part that was cut out of a file has another one."""
    known = facts(layer)
    same = known.get("role") == TRUTH and known.get("of") == image.sha256
    return same and tuple(layer.data.shape) == image.pixels.shape


def is_source(layer: Any) -> bool:
    """Whether a layer may be enhanced: an image, and none of our results."""
    from napari.layers import Image

    return isinstance(layer, Image) and role_of(layer) in (None, *SOURCES)


def image_of(layer: Any) -> MarsImage:
    """The image in a layer, with the facts of its file where the layer came from our reader.

    Raises
    ------
    SettingError
        If the layer is no 8-bit or 16-bit gray or RGB image.
    """
    known = facts(layer).get("image")
    if isinstance(known, MarsImage) and known.pixels is layer.data:
        return known
    return MarsImage.from_array(pixels_of(layer), metadata={"name": layer.name})


def pixels_of(layer: Any) -> Pixels:
    """Pixels of an image layer as (H, W) or (H, W, 3); an alpha channel is dropped.

    Raises
    ------
    SettingError
        As :func:`image_of`.
    """
    if getattr(layer, "multiscale", False):
        raise SettingError(f"layer '{layer.name}' is a pyramid; open the image itself with the Open button")
    array = np.asarray(layer.data)
    if layer.rgb and array.shape[-1] == 4:
        array = np.ascontiguousarray(array[..., :3])
    if array.ndim != (3 if layer.rgb else 2) or array.dtype not in (np.uint8, np.uint16):
        raise SettingError(
            f"layer '{layer.name}' is not an 8-bit or 16-bit gray or colour image ({array.dtype}, {array.shape}); "
            "choose another layer or open the file with the Open button"
        )
    return array


def terrain_layer(stem: str, terrain: Terrain, frame: Frame) -> LayerData:
    """Terrain labels, with the class in the status bar and class colours."""
    arguments = {
        "name": name_of(stem, "terrain"),
        "opacity": 0.4,
        "colormap": terrain_colours(),
        "features": terrain_features(),
        **frame.pixels(),
    }
    # A copy: who paints in the layer must not change, unseen, what was matched and is written to the record.
    return terrain.labels.copy(), arguments | _metadata(TERRAIN, terrain=terrain), "labels"


def terrain_colours() -> Any:
    """The colours of the terrain's labels that Preferences hold."""
    from napari.utils.colormaps import DirectLabelColormap

    palette = PALETTES[engine_settings().palette]
    colours: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    colours |= {i: tuple(c / 255 for c in palette[name]) for i, name in enumerate(CLASSES, 1)}
    return DirectLabelColormap(color_dict=colours)


def terrain_features() -> Any:
    """The names of the labels, as the status bar shows them: a table with the columns index and terrain."""
    import pandas as pd

    return pd.DataFrame({"index": range(len(CLASSES) + 1), "terrain": ["unlabelled", *CLASSES]})


def references_layer(stem: str, mosaic: Pixels, matches: Matches, frame: Frame, full_scale: int) -> LayerData:
    """The raw reference of every tile, in its place; hidden, for it covers the image."""
    arguments = _image_arguments(mosaic, name_of(stem, "references"), full_scale) | frame.pixels() | {"visible": False}
    return mosaic, arguments | _metadata(REFERENCES, matches=matches), "image"


def enhanced_layer(enhancement: Enhancement, stem: str, frame: Frame) -> LayerData:
    """The enhanced image."""
    name = name_of(stem, f"enhanced ({enhancement.model})")
    arguments = _image_arguments(enhancement.pixels, name, enhancement.source.full_scale)
    return enhancement.pixels, arguments | frame.pixels() | _metadata(ENHANCED, enhancement=enhancement), "image"


def preview_layer(pixels: Pixels, stem: str, frame: Frame, full_scale: int) -> LayerData:
    """An enhancement that is at work: the source's pixels, into which finished parts are painted."""
    arguments = _image_arguments(pixels, name_of(stem, "enhancing …"), full_scale)
    return pixels, arguments | frame.pixels() | _metadata(PREVIEW), "image"


def judgement_layers(stem: str, judgement: Judgement, frame: Frame) -> dict[str, LayerData]:
    """Residuals and gain with a truth; without one, what was changed. By role, bottom first."""
    if not judgement.has_truth:
        change = _residual(CHANGE, name_of(stem, "change"), judgement.change, _top(judgement.change))
        return {CHANGE: _placed(change, frame)}
    before, after, gain = judgement.residual_compressed, judgement.residual_enhanced, judgement.delta_psnr
    assert before is not None and after is not None and gain is not None
    # One scale for both, or they could not be compared by eye.
    top = _top(before)
    first = _residual(RESIDUAL_BEFORE, name_of(stem, "residual (compressed)"), before, top)
    second = _residual(RESIDUAL, name_of(stem, "residual"), after, top)
    return {
        RESIDUAL_BEFORE: _placed(first, frame, visible=False),
        RESIDUAL: _placed(second, frame, visible=False),
        GAIN: _gain(gain, name_of(stem, "ΔPSNR"), frame),
    }


def tile_mark(stem: str, first: tuple[int, int], last: tuple[int, int], frame: Frame) -> LayerData:
    """A rectangle around the tiles from ``first`` to ``last``, each a row and a column."""
    low = np.array(first) * TILE - 0.5
    sides = TILE * (np.array(last) - first + 1)
    corners = low + sides * np.array([[0, 0], [0, 1], [1, 1], [1, 0]])
    arguments = {
        "name": name_of(stem, "tile"),
        "shape_type": "rectangle",
        "face_color": "transparent",
        "edge_color": "#ff5fb0",
        "edge_width": 4,
        **frame.pixels(),
    }
    return [corners], arguments | _metadata(TILE_MARK), "shapes"


def profile_line(stem: str, frame: Frame) -> LayerData:
    """An empty layer for the line along which intensities are shown."""
    arguments = {
        "name": name_of(stem, "profile line"),
        "ndim": 2,
        "edge_color": "#ff5fb0",
        "edge_width": 2,
        **frame.pixels(),
    }
    return [], arguments | _metadata(PROFILE), "shapes"


def tile_region(shape: tuple[int, int], row: int, column: int) -> Region:
    """The pixels of a tile that lie inside an image of ``shape``."""
    y, x = row * TILE, column * TILE
    return Region(x, y, min(TILE, shape[1] - x), min(TILE, shape[0] - y))


def put(viewer: Any, existing: Any | None, new: LayerData) -> Any:
    """Show layer data: in the layer that shows it already, or in a new one. Returns the layer."""
    from napari.layers import Layer

    data, arguments, kind = new
    if existing is None or existing not in viewer.layers:
        layer = viewer.add_layer(Layer.create(data, arguments, kind))
        show_scale(layer)
        return layer
    # What the user set on the layer (name, visibility, opacity, colours) stays as it is.
    existing.data = data
    existing.metadata = arguments["metadata"]
    for attribute in ("features", "contrast_limits"):
        if attribute in arguments:
            setattr(existing, attribute, arguments[attribute])
    return existing


def show_scale(layer: Any) -> None:
    """Give a layer whose colours stand for numbers its scale; napari draws it only while the layer is visible."""
    if role_of(layer) not in _MEASURED:
        return
    bar = layer.colorbar
    bar.position, bar.size, bar.font_size, bar.visible = "bottom_right", (14, 110), 8, True


def _metadata(role: str, **values: Any) -> dict[str, Any]:
    return {"metadata": {KEY: {"role": role, **values}}}


def _image_arguments(pixels: Pixels, name: str, full_scale: int) -> dict[str, Any]:
    # White is what the camera's bits hold: a 12-bit product would be nearly black in the range of 16 bits.
    arguments = {"name": name, "contrast_limits": (0, full_scale)}
    return arguments | ({"rgb": True} if pixels.ndim == 3 else {"rgb": False, "colormap": "gray"})


def _residual(role: str, name: str, data: NDArray[np.float32], top: float) -> LayerData:
    arguments = {"name": name, "colormap": "magma", "contrast_limits": (0.0, top)}
    return data, arguments | _metadata(role), "image"


def _placed(layer: LayerData, frame: Frame, *, visible: bool = True) -> LayerData:
    data, arguments, kind = layer
    return data, arguments | frame.pixels() | {"visible": visible}, kind


def _gain(gain: NDArray[np.float32], name: str, frame: Frame) -> LayerData:
    from napari.utils import Colormap

    finite = np.abs(gain[np.isfinite(gain)])
    top = max(0.5, float(np.percentile(finite, 98))) if finite.size else 1.0
    arguments = {
        "name": name,
        "colormap": Colormap(_GAIN_COLOURS, name="MarsQE gain"),
        "contrast_limits": (-top, top),
        "interpolation2d": "nearest",
        "opacity": 0.5,
        **frame.tiles(),
    }
    # A tile without any error to remove has no gain in dB; it is drawn as unchanged.
    return np.nan_to_num(gain, nan=0.0, posinf=top, neginf=-top), arguments | _metadata(GAIN), "image"


def _top(data: NDArray[np.float32]) -> float:
    return max(1.0, float(np.percentile(data, 99.5)))
