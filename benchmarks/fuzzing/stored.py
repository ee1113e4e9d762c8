"""Trials of what the product or napari wrote itself: exports with their record, settings, ledgers of batches."""

from __future__ import annotations

import contextlib
import json
import logging
import struct
import warnings
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

from fuzzing import seeds
from fuzzing.values import WrongError, try_image
from marsqe.errors import MarsqeError

SOURCE = seeds.jpeg()[0]
"""The file of which the exports were made."""


def record(kind: str, data: bytes, folder: Path) -> None:
    """A damaged export: read its record, and make the image again by it."""
    from marsqe.replaying import replay

    path, source = folder / ("damaged.tif" if data[:2] in (b"II", b"MM") else "damaged.png"), folder / "source.jpg"
    path.write_bytes(data)
    source.write_bytes(SOURCE)
    with contextlib.suppress(MarsqeError):
        try_image(path)
    replay(path, source)


def provenance(kind: str, data: bytes, folder: Path) -> None:
    """A damaged record in a sound PNG, whose checksums are good."""
    whole = _export()
    at = whole.index(b"iTXt") - 4
    size = struct.unpack_from(">I", whole, at)[0]
    head = whole[at + 8 : at + 8 + whole[at + 8 :].index(b"\0\0\0\0\0") + 5]
    chunk = b"iTXt" + head + data
    length, checksum = struct.pack(">I", len(chunk) - 4), struct.pack(">I", zlib.crc32(chunk))
    record(kind, whole[:at] + length + chunk + checksum + whole[at + 12 + size :], folder)


@lru_cache(maxsize=1)
def _export() -> bytes:
    return seeds.record()[1]


def settings(kind: str, data: bytes, folder: Path) -> None:
    """A damaged settings file, as napari keeps it for the plugin."""
    from napari_marsqe.settings import EngineSettings, engine_settings, remember

    generated = _models_of_plugins()
    from napari import settings as napari_settings

    (folder / "napari-marsqe.yaml").write_bytes(data)
    logging.getLogger("napari").setLevel(logging.CRITICAL)  # its own word about the damage
    with (
        mock.patch.multiple(napari_settings, _PLUGIN_SETTINGS={}, _CFG_PATH=str(folder / "settings.yaml")),
        mock.patch.object(napari_settings, "plugin_configuration_generator", lambda: generated),
        mock.patch("napari_marsqe.settings.tell"),
    ):
        found = engine_settings()
        remember("quality", 40)
    sound = EngineSettings()
    if any(type(getattr(found, name)) is not type(getattr(sound, name)) for name in vars(sound)):
        raise WrongError(f"settings of other types: {found}")
    # Any name of a model may be wished for, one's own, too; Enhance says where there is none.
    if not (1 <= found.quality <= 100 and 1 <= found.batch <= 64):
        raise WrongError(f"settings that the workbench does not offer: {found}")


@lru_cache(maxsize=1)
def _models_of_plugins() -> Any:
    """What napari makes of the manifests; once, for that takes longer than all else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from napari.settings import plugin_configuration_generator
        from npe2 import PluginManager

        PluginManager.instance().discover()
        return plugin_configuration_generator()


def ledger(kind: str, data: bytes, folder: Path) -> None:
    """A damaged ledger: a batch goes on by it, and writes its tables."""
    from marsqe.scale.ledger import FOLDER, Ledger
    from marsqe.scale.stages import Task, read
    from marsqe.scale.summary import write_summaries

    (folder / FOLDER).mkdir()
    (folder / FOLDER / "ledger.jsonl").write_bytes(data)
    source, name = folder / "source.jpg", seeds.FINISHED["output"]
    source.write_bytes(SOURCE)
    (folder / name).write_bytes(b"x" * seeds.FINISHED["output_bytes"])
    with Ledger(folder) as opened:
        task = Task(str(source), name, str(folder / name), str(opened.parts), "f", before=opened.latest.get(name))
        with contextlib.suppress(MarsqeError):  # the result is no image, which is told where it is opened
            read(task)
        for path in write_summaries(folder, opened, []):
            if not path.stat().st_size:
                raise WrongError(f"{path.name} is empty")
        opened.append(seeds.FINISHED)
    if json.loads((folder / FOLDER / "ledger.jsonl").read_bytes().splitlines()[-1]) != seeds.FINISHED:
        raise WrongError("a record that was appended cannot be read again")
