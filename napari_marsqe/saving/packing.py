"""The engine's frozen values as JSON and plain arrays, and back. Nothing is pickled, no code is named.

A value that is used twice is written once and comes back as one object; so does an array, so that a layer again shares
the pixels of its image.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe import image, results, terrain
from marsqe.errors import ExportError, ReadError
from marsqe.image import MarsImage
from napari_marsqe import work

KIND: Final = "$"
"""Key that tells a JSON object of ours from what it stands for."""


@cache
def types() -> dict[str, type[Any]]:
    """The values that may be written and read, by name; no others."""
    # Imported here: it reads JPEGs, which nobody does at the start.
    from marsqe.codecs import coefficients

    return {
        name: value
        for module in (image, results, terrain, coefficients, work)
        for name, value in vars(module).items()
        if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == module.__name__
    }


class Packer:
    """Turns values into JSON, collecting their arrays.

    Attributes
    ----------
    arrays : dict of ndarray
        By the name that the JSON refers to.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self._numbers: dict[int, int] = {}
        self._names: dict[int, str] = {}
        self._held: list[Any] = []  # an id is one object's only while that lives

    def pack(self, value: Any) -> Any:
        """The JSON of a value.

        Raises
        ------
        ExportError
            If it holds something that is none of our values.
        """
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | str):
            return value
        for kind, form in self._forms().items():
            if isinstance(value, kind):
                return form(value)
        if type(value) is types().get(type(value).__name__):
            return self._pack_value(value)
        raise ExportError(f"a session cannot hold a {type(value).__name__}; save its layer with napari's own writer")

    def _forms(self) -> dict[Any, Callable[[Any], Any]]:
        return {
            float: lambda v: v if math.isfinite(v) else {KIND: "float", "value": repr(v)},
            np.ndarray: lambda v: {KIND: "array", "name": self._pack_array(v)},
            bytes: lambda v: {KIND: "bytes", "name": self._pack_array(np.frombuffer(v, np.uint8))},
            Path: lambda v: {KIND: "path", "value": str(v)},
            frozenset: lambda v: {KIND: "frozenset", "items": [self.pack(item) for item in sorted(v)]},
            tuple: lambda v: {KIND: "tuple", "items": [self.pack(item) for item in v]},
            list: lambda v: [self.pack(item) for item in v],
            dict: lambda v: {KIND: "dict", "items": [[self.pack(key), self.pack(item)] for key, item in v.items()]},
        }

    def _pack_array(self, array: NDArray[Any]) -> str:
        if array.dtype.hasobject:
            raise ExportError("a session cannot hold an array of objects")
        if id(array) not in self._names:
            self._held.append(array)
            name = self._names[id(array)] = f"a{len(self.arrays)}"
            self.arrays[name] = array
        return self._names[id(array)]

    def _pack_value(self, value: Any) -> dict[str, Any]:
        if id(value) in self._numbers:
            return {KIND: "known", "number": self._numbers[id(value)]}
        self._held.append(value)
        number = self._numbers[id(value)] = len(self._numbers)
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        if isinstance(value, MarsImage):
            fields["metadata"] = value.metadata | _encoded(value)
        packed = {name: self.pack(item) for name, item in fields.items()}
        return {KIND: "value", "type": type(value).__name__, "number": number, "fields": packed}


def _encoded(image: MarsImage) -> dict[str, bytes]:
    """The bytes of a JPEG that is still there as it was opened: without them no result can be held to the file."""
    if image.compression.codec == "JPEG" and "encoded" not in image.metadata and image.path is not None:
        with suppress(OSError):
            data = image.path.read_bytes()
            if hashlib.sha256(data).hexdigest() == image.sha256:
                return {"encoded": data}
    return {}


class Unpacker:
    """Turns the JSON of :class:`Packer` back into values.

    Parameters
    ----------
    arrays : mapping of ndarray
        Asked for by name; each array once.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._source = arrays
        self._arrays: dict[str, NDArray[Any]] = {}
        self._values: dict[int, Any] = {}

    def unpack(self, packed: Any) -> Any:
        """The value of a JSON.

        Raises
        ------
        ReadError
            If it is none that :meth:`Packer.pack` makes.
        """
        if isinstance(packed, list):
            return [self.unpack(item) for item in packed]
        if not isinstance(packed, dict):
            return packed
        kind, form = packed.get(KIND), None
        if isinstance(kind, str):
            form = getattr(self, f"_{kind}", None) if kind in _KINDS else None
        if form is None:
            raise ReadError(f"it holds a value of an unknown kind, {kind!r}")
        try:
            return form(packed)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ReadError(f"one of its values is damaged ({error})") from error

    def _float(self, packed: Any) -> float:
        return float(packed["value"])

    def _array(self, packed: Any) -> NDArray[Any]:
        name = packed["name"]
        if name not in self._arrays:
            self._arrays[name] = self._source[name]
        return self._arrays[name]

    def _bytes(self, packed: Any) -> bytes:
        return self._array(packed).astype(np.uint8).tobytes()

    def _path(self, packed: Any) -> Path:
        return Path(packed["value"])

    def _tuple(self, packed: Any) -> tuple[Any, ...]:
        return tuple(self.unpack(item) for item in packed["items"])

    def _frozenset(self, packed: Any) -> frozenset[Any]:
        return frozenset(self._tuple(packed))

    def _dict(self, packed: Any) -> dict[Any, Any]:
        return {self.unpack(key): self.unpack(item) for key, item in packed["items"]}

    def _known(self, packed: Any) -> Any:
        return self._values[packed["number"]]

    def _value(self, packed: Any) -> Any:
        cls = types()[packed["type"]]
        known = {field.name for field in dataclasses.fields(cls)}
        fields = {name: self.unpack(item) for name, item in packed["fields"].items() if name in known}
        value = self._values[packed["number"]] = cls(**fields)
        return value


_KINDS: Final = ("float", "array", "bytes", "path", "frozenset", "tuple", "dict", "known", "value")
