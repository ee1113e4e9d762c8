"""MarsQE: semantic-informed quality enhancement for compressed Martian images.

One direction: read, understand (segment, match), enhance, judge, export. ``import marsqe`` is light; torch and the
networks load when they are first needed.

>>> import marsqe
>>> image = marsqe.open_image("sol_0766.jpg")                 # doctest: +SKIP
>>> result = marsqe.enhance(image)                            # doctest: +SKIP
>>> result.save("sol_0766_enhanced.tif")                      # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from marsqe.codecs.downlink import simulate_downlink
    from marsqe.enhancement import enhance, enhance_steps
    from marsqe.export import ExportOptions, save_enhancement
    from marsqe.image import MarsImage
    from marsqe.judgement import judge
    from marsqe.matching import load_dictionary, match, match_steps, reference_mosaic
    from marsqe.networks.listing import list_models
    from marsqe.read import open_image
    from marsqe.replaying import Replay, replay, replay_steps
    from marsqe.results import Enhancement, Judgement, Matches, Region
    from marsqe.segmentation import segment, segment_steps
    from marsqe.terrain import Terrain

_HOMES = {
    "Enhancement": "results",
    "ExportOptions": "export",
    "Judgement": "results",
    "MarsImage": "image",
    "Matches": "results",
    "Region": "results",
    "Replay": "replaying",
    "Terrain": "terrain",
    "enhance": "enhancement",
    "enhance_steps": "enhancement",
    "judge": "judgement",
    "list_models": "networks.listing",
    "load_dictionary": "matching",
    "match": "matching",
    "match_steps": "matching",
    "open_image": "read",
    "reference_mosaic": "matching",
    "replay": "replaying",
    "replay_steps": "replaying",
    "save_enhancement": "export",
    "segment": "segmentation",
    "segment_steps": "segmentation",
    "simulate_downlink": "codecs.downlink",
}

__all__ = [
    "Enhancement",
    "ExportOptions",
    "Judgement",
    "MarsImage",
    "Matches",
    "Region",
    "Replay",
    "Terrain",
    "enhance",
    "enhance_steps",
    "judge",
    "list_models",
    "load_dictionary",
    "match",
    "match_steps",
    "open_image",
    "reference_mosaic",
    "replay",
    "replay_steps",
    "save_enhancement",
    "segment",
    "segment_steps",
    "simulate_downlink",
]


def _version() -> str:
    # Asked for when it is wanted: the module that knows takes longer to load than all of this package.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("napari-marsqe")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"


def __getattr__(name: str) -> Any:
    if name == "__version__":
        globals()[name] = found = _version()
        return found
    if name not in _HOMES:
        raise AttributeError(f"module 'marsqe' has no attribute {name!r}")
    return getattr(import_module(f"marsqe.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
