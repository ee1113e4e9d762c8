"""Sound little files of every kind, from which damaged ones are made."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import tifffile
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "engine"))  # the tests' builders of formats that no library writes

import containers  # noqa: E402
import handmade  # noqa: E402
import products  # noqa: E402

PIXELS = np.random.default_rng(5).integers(0, 256, (24, 40, 3)).astype(np.uint8)
GRAY = PIXELS[..., 0]
DEEP = GRAY.astype(np.uint16) * 16


def _pillow(kind: str, pixels: Any = PIXELS, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x011A], exif[0x010F] = 6, 300.0, "NASA"
    return exif


def jpeg() -> list[bytes]:
    sizes = [_pillow("JPEG", quality=q, subsampling=s) for q, s in ((30, 2), (75, 1), (95, 0))]
    more: list[dict[str, Any]] = [
        {"progressive": True},
        {"progressive": True, "subsampling": 0, "icc_profile": b"\0" * 200},
        {"exif": _turned(), "dpi": (72, 72), "comment": b"a rock"},
        {"restart_marker_blocks": 2},
    ]
    return [*sizes, *(_pillow("JPEG", **options) for options in more), _pillow("JPEG", GRAY, quality=50)]


def png() -> list[bytes]:
    colour = [_pillow("PNG", exif=_turned(), dpi=(30, 60)), _pillow("PNG", GRAY), _pillow("PNG", DEEP)]
    palette = io.BytesIO()
    Image.fromarray(PIXELS).quantize(16).save(palette, "PNG", transparency=3)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in PIXELS)
    moving = io.BytesIO()
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    frames[0].save(moving, "PNG", save_all=True, append_images=frames[1:])
    bits = handmade.png(16, 2, 1, 0, b"\0\xaa\x55\0\x12\x34")
    return [*colour, palette.getvalue(), handmade.png(40, 24, 16, 2, rows), bits, moving.getvalue()]


def tiff() -> list[bytes]:
    def save(pixels: Any = PIXELS, **options: Any) -> bytes:
        stream = io.BytesIO()
        tifffile.imwrite(stream, pixels, **options)
        return stream.getvalue()

    packings = [save(photometric="rgb", compression=c) for c in ("zlib", "lzw", "packbits", "zstd", "jpeg", "lzma")]
    layouts: list[dict[str, Any]] = [
        {"photometric": "rgb", "rowsperstrip": 5},
        {"photometric": "rgb", "tile": (16, 16), "compression": "zlib", "predictor": True},
        {"photometric": "rgb", "bigtiff": True, "byteorder": ">"},
        {"photometric": "rgb", "resolution": (10, 20), "resolutionunit": "CENTIMETER"},
    ]
    planar = save(np.moveaxis(PIXELS, -1, 0), photometric="rgb", planarconfig="separate")
    stack = save(np.stack([GRAY] * 3), imagej=True)
    table = np.arange(768, dtype=np.uint16).reshape(3, 256)
    palette = save(GRAY, photometric="palette", colormap=table)
    return [*packings, *(save(**o) for o in layouts), planar, save(DEEP), stack, palette, _pillow("TIFF", GRAY > 99)]


def webp() -> list[bytes]:
    return [_pillow("WEBP"), _pillow("WEBP", lossless=True), _pillow("WEBP", exif=_turned(), icc_profile=b"\0" * 99)]


def _planes(layout: str) -> bytes:
    chroma = GRAY if layout == "yuv444p" else GRAY[::2, ::2]
    planes = [GRAY] if layout == "gray" else [GRAY, chroma, chroma]
    return containers.hevc([np.ascontiguousarray(p) for p in planes], layout, 30)


def bpg() -> list[bytes]:
    files = [containers.bpg(_planes(name), (40, 24)) for name in ("gray", "yuv420p", "yuv444p")]
    return [*files, containers.bpg(_planes("yuv420p"), (39, 23), extensions={1: b"Exif\0\0", 2: b"icc"})]


def heic() -> list[bytes]:
    return [containers.heic(_planes("yuv420p"), (40, 24), quarter_turns=turns) for turns in (0, 1)]


def pds3() -> list[bytes]:
    deep, bands = DEEP[None].astype(">u2"), np.moveaxis(PIXELS, -1, 0)
    mask = ("SAMPLE_BIT_MASK = 2#0000111111111111#",)
    group = ("GROUP = COMPRESSION_PARMS", "INST_CMPRS_NAME = JPEG", "INST_CMPRS_QUALITY = 75", "END_GROUP")
    return [products.attached(deep, mask, group), products.attached(bands), products.attached(GRAY[None])]


def pds3_detached() -> list[bytes]:
    return [products.pds3(['^IMAGE = "product.IMG"', "RECORD_BYTES = 40", *products.image_object(GRAY[None])])]


def pds4() -> list[bytes]:
    return [products.pds4("product.IMG", GRAY[None])]


def vicar() -> list[bytes]:
    bands = np.moveaxis(PIXELS, -1, 0)
    odd = products.vicar(bands, order="BIL", prefix=8, headers=2)
    return [products.vicar(DEEP[None].astype(np.int16)), odd, products.vicar(bands, order="BIP", high=False)]


def safetensors() -> list[bytes]:
    import torch
    from safetensors.torch import save

    return [save({"a.weight": torch.ones(3, 2), "a.bias": torch.zeros(3)}), save({"x": torch.zeros(2, 2).half()})]


def card() -> list[bytes]:
    return [
        (ROOT / "resources" / "weights" / f"{name}.json").read_bytes() for name in ("marsqe-swift", "marsqe-terrain")
    ]


def dictionary() -> list[bytes]:
    listing = (ROOT / "resources" / "dictionary" / "dictionary.json").read_bytes()
    return [listing, json.dumps(json.loads(listing)).encode()]


def own() -> list[bytes]:
    """A card of somebody's own reference, a zero, and its picture."""
    import marsqe
    from marsqe.own_references import add_references, cut_patches

    random = np.random.default_rng(1)
    image = marsqe.MarsImage.from_array(random.integers(40, 200, (128, 128, 3)).astype(np.uint8))
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, MARSQE_DATA=folder):
        add_references(image, cut_patches(image, "soil"), note="by hand")
        files = sorted(Path(folder).rglob("own-*"))
        return [b"\0".join(file.read_bytes() for file in files)]


def record() -> list[bytes]:
    """Exported images with their record, whose source is the first JPEG of :func:`jpeg`."""
    import marsqe

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.jpg"
        source.write_bytes(jpeg()[0])
        result = marsqe.enhance(marsqe.open_image(source), "marsqe-swift", "cpu")
        return [result.save(Path(folder) / name).read_bytes() for name in ("a.tif", "a.png")]


def provenance() -> list[bytes]:
    """Records alone, as a PNG holds them."""
    png = record()[1]
    start = png.index(b'{"marsqe')
    return [
        png[
            start : start + struct.unpack(">I", png[png.index(b"iTXt") - 4 :][:4])[0] - (start - png.index(b"iTXt") - 4)
        ]
    ]


def settings() -> list[bytes]:
    """Settings of the plugin as napari keeps them, changed and of all kinds."""
    changed = b"engine:\n  batch: 4\n  device: cpu\n  faithful: false\n  model: marsqe-swift\n"
    return [changed + b"  palette: tol-muted\n  precision: float32\n  quality: 75\n", b"engine:\n  quality: 40\n"]


FINISHED: dict[str, Any] = {
    "input": "source.jpg",
    "output": "source.tif",
    "output_bytes": 5,
    "status": "done",
    "key": hashlib.sha256(b"f" + hashlib.sha256(jpeg()[0]).hexdigest().encode()).hexdigest(),
    "seconds": 1.5,
    "width": 40,
    "share_rock": 0.25,
    "faithful": True,
    "truth_sha256": None,
}
"""A record of a batch whose result is there."""


def ledger() -> list[bytes]:
    """Ledgers of a batch, one cut short."""
    line = json.dumps(FINISHED).encode() + b"\n"
    other = json.dumps(FINISHED | {"output": "other.tif", "problem": "its truth a.png: no"}).encode() + b"\n"
    return [line + other + line, other + line[:-9]]


def session() -> list[bytes]:
    """The two files of a session of the workbench, one case without layers; a zero between them."""
    import marsqe
    from marsqe.progress import run
    from marsqe.read import decode_image
    from napari_marsqe.saving.folder import ARRAYS, FACTS, write_folder
    from napari_marsqe.saving.packing import Packer

    packer, found = Packer(), decode_image(jpeg()[0])
    terrain = marsqe.Terrain(np.full(found.shape, 3, np.uint8))
    judged = marsqe.judge(found.pixels, None, compressed=found.pixels, terrain=terrain)
    results = {"understanding": None, "enhancement": None, "exported": None, "selected": ((0, 0), (0, 0))}
    packed = {name: packer.pack(value) for name, value in (results | {"judgement": judged}).items()}
    case = {"image": packer.pack(found), "stem": "a", "results": packed, "current": True, "put_away": []}
    facts = {"cases": [case], "layers": [], "view": {"centre": [0, 1.5, 2], "zoom": 1}}
    with tempfile.TemporaryDirectory() as folder:
        home = run(write_folder(Path(folder) / "a.marsqe", facts, packer.arrays))
        return [(home / FACTS).read_bytes() + b"\0" + (home / ARRAYS).read_bytes()]


SEEDS = {
    "jpeg": jpeg,
    "png": png,
    "tiff": tiff,
    "webp": webp,
    "heic": heic,
    "bpg": bpg,
    "pds3": pds3,
    "pds3-detached": pds3_detached,
    "pds4": pds4,
    "vicar": vicar,
    "safetensors": safetensors,
    "card": card,
    "dictionary": dictionary,
    "own": own,
    "record": record,
    "provenance": provenance,
    "settings": settings,
    "ledger": ledger,
    "session": session,
}
"""Makers of the seeds of every kind."""
