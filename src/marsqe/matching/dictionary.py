"""The reference dictionary: N raw patches for each of the K terrain classes, and their compressed twins."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg
from marsqe.colour import luma
from marsqe.errors import ReadError, SettingError, in_one_line
from marsqe.image import Compression
from marsqe.matching.lbp import lbp_histograms
from marsqe.results import TILE
from marsqe.terrain import CLASSES

LADDER: Final = (10, 20, 30, 40, 50, 60, 70, 80, 90)
"""Quality factors tried where a file names none."""

_MOST_TWINS: Final = 512
"""Classes of twins kept, about 300 kB each in colour: an archive of many different tables must not fill the memory."""


@dataclass(frozen=True)
class Entry:
    """Origin of one reference patch: image, left and top corner in it, and the credit line."""

    terrain: str
    source: str
    x: int
    y: int
    credit: str

    def name(self, index: int) -> str:
        """What the patch is called where it is the ``index``-th of its class: "rock-3" is the third of rock."""
        return f"{self.terrain}-{index + 1}"


@dataclass(frozen=True)
class Dictionary:
    """Reference patches ``{R_i^k}``.

    Attributes
    ----------
    patches : dict of ndarray of uint8, shape (N, 128, 128, 3)
        Raw patches by terrain label 1-4.
    entries : dict of tuple of Entry
        Their origins.
    """

    patches: dict[int, NDArray[np.uint8]]
    entries: dict[int, tuple[Entry, ...]]
    sha256: str = ""
    _twins: dict[Any, NDArray[Any]] = field(default_factory=dict, compare=False, repr=False)

    def reference(self, label: int, index: int) -> NDArray[np.uint8]:
        """Raw patch (128, 128, 3)."""
        return self.patches[label][index]

    def entry(self, label: int, index: int) -> Entry:
        """Origin of a patch."""
        return self.entries[label][index]

    def patch_id(self, label: int, index: int) -> str:
        """What a patch is called, here and in the record of a result."""
        return self.entries[label][index].name(index)

    def find(self, patch_id: str) -> tuple[int, int]:
        """Class and index of a patch by :meth:`patch_id`.

        Raises
        ------
        SettingError
            If the dictionary has no such patch.
        """
        for label, entries in self.entries.items():
            for index, entry in enumerate(entries):
                if entry.name(index) == patch_id:
                    return label, index
        raise SettingError(f"there is no reference '{patch_id}'; `marsqe references list` names all of them")

    def checked_ban(self, patch_ids: Iterable[str]) -> tuple[tuple[int, int], ...]:
        """Classes and indices of patches that are to be forbidden.

        Raises
        ------
        SettingError
            If there is no such patch, or a class would have none left.
        """
        banned = tuple(sorted(set(map(self.find, patch_ids))))
        for label, entries in self.entries.items():
            if all((label, index) in banned for index in range(len(entries))):
                raise SettingError(f"every reference of {entries[0].terrain} would be forbidden; leave at least one")
        return banned

    def raw(self, label: int, *, colour: bool) -> NDArray[np.uint8]:
        """Raw patches of a class: (N, 128, 128, 3), or their luma (N, 128, 128)."""
        patches = self.patches[label]
        return patches if colour else np.stack([luma(p) for p in patches])

    def compressed(self, label: int, compression: Compression, *, colour: bool) -> NDArray[np.uint8]:
        """Compressed twins of a class, made with the quantization tables and subsampling of a file.

        Without tables the quality factor decides; without either the raw patches are their own twins. Shapes as
        those of :meth:`raw`. Results are kept: the twins of one compression are made once.
        """
        return self._kept("pixels", label, compression, colour, lambda: self._make_twins(label, compression, colour))

    def histograms(self, label: int, compression: Compression, *, colour: bool) -> NDArray[np.float64]:
        """LBP histograms (N, 59) of the luma of :meth:`compressed`; kept as those are."""

        def make() -> NDArray[np.float64]:
            twins = self._make_twins(label, compression, colour)
            return lbp_histograms(np.concatenate([luma(t) for t in twins], axis=1))[0]

        return self._kept("lbp", label, compression, colour, make)

    def _make_twins(self, label: int, compression: Compression, colour: bool) -> NDArray[np.uint8]:
        return np.stack([twin(p, compression) for p in self.raw(label, colour=colour)])

    def _kept(self, what: str, label: int, c: Compression, colour: bool, make: Callable[[], NDArray[Any]]) -> Any:
        tables = None if c.tables is None else tuple(t.tobytes() for t in c.tables)
        key = (what, label, colour, tables, c.quality, c.subsampling)
        found = self._twins.get(key)
        if found is None:
            while len(self._twins) >= _MOST_TWINS:
                self._twins.pop(next(iter(self._twins), None), None)
            found = self._twins[key] = make()
        return found


def twin(patch: NDArray[np.uint8], compression: Compression) -> NDArray[np.uint8]:
    """A patch as the compression of a file would leave it; see :meth:`Dictionary.compressed`."""
    if compression.tables is None and compression.quality is None:
        return patch
    subsampling = writable_subsampling(compression)
    if compression.tables is not None:
        # Pillow writes baseline tables only; 16-bit steps of exotic files are clipped to its range.
        tables = [np.clip(t, 1, 255) for t in compression.tables[:3]]
        return decode_jpeg(encode_jpeg(patch, tables=tables, subsampling=subsampling))
    return decode_jpeg(encode_jpeg(patch, quality=compression.quality, subsampling=subsampling))


def writable_subsampling(compression: Compression) -> str:
    """The nearest chroma subsampling that the encoder writes: 4:1:1 becomes 4:2:0, and so on."""
    horizontal, vertical = compression.subsampling or (2, 2)
    ratio = horizontal * vertical
    return "4:4:4" if ratio == 1 else "4:2:2" if (horizontal, vertical) == (2, 1) else "4:2:0"


@lru_cache(maxsize=1)
def load_dictionary() -> Dictionary:
    """The bundled dictionary: K = 4 classes of N = 6 patches of S = 128.

    Raises
    ------
    ReadError
        If the installation lacks it or it does not match its list.
    """
    folder = files("marsqe.resources") / "dictionary"
    try:
        listing = json.loads((folder / "dictionary.json").read_text())
        with (folder / "dictionary.png").open("rb") as stream, Image.open(stream) as image:
            sheet = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ReadError(f"the reference dictionary cannot be read ({error}); reinstall napari-marsqe") from error
    return dictionary_from_sheet(sheet, listing)


def dictionary_from_sheet(sheet: NDArray[np.uint8], listing: dict[str, Any]) -> Dictionary:
    """Cut a sheet of patches, a row for each class, by its listing."""
    import hashlib

    patches, entries = {}, {}
    for row, name in enumerate(CLASSES):
        try:
            origins = tuple(Entry(**entry) for entry in listing["entries"] if entry["terrain"] == name)
        except (KeyError, TypeError) as error:
            raise SettingError(
                f"the dictionary's list is damaged ({in_one_line(error)}); rebuild the dictionary"
            ) from error
        band = sheet[row * TILE : (row + 1) * TILE, : len(origins) * TILE]
        if not origins or band.shape != (TILE, len(origins) * TILE, 3):
            raise SettingError(f"the dictionary's sheet and its list disagree on class {name}; rebuild the dictionary")
        patches[row + 1] = np.stack(np.split(band, len(origins), axis=1))
        entries[row + 1] = origins
    return Dictionary(patches, entries, hashlib.sha256(sheet.tobytes()).hexdigest())
