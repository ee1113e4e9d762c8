"""Every error that a user may meet. Each message says what happened and what to do next."""

from __future__ import annotations

_LONGEST = 300


class MarsqeError(Exception):
    """Base of all errors raised on purpose by this package.

    Messages quote names and files, damaged ones, too; halves of characters, which no terminal can show, are replaced.
    """

    def __str__(self) -> str:
        return super().__str__().encode("utf-8", "replace").decode()


class ReadError(MarsqeError):
    """A file cannot be opened as an image."""


class WeightsError(MarsqeError):
    """Weights are missing, damaged or not the ones that their card names."""


class DeviceError(MarsqeError):
    """The wanted device is absent or cannot do it."""


class DeviceMemoryError(DeviceError):
    """The device ran out of memory, even with the smallest parts; the CPU can still do it."""


class ExportError(MarsqeError):
    """A result cannot be written."""


class SettingError(MarsqeError):
    """An argument or setting is out of range; the message names the range."""


class MissingExtraError(MarsqeError):
    """An optional dependency is not installed; the message names the extra that brings it."""


def in_one_line(error: BaseException | str, most: int = _LONGEST) -> str:
    """What a library or a damaged file says, fit for the end of a message: printable, on one line, not endless."""
    said = " ".join("".join(c if c.isprintable() else " " for c in str(error)).split()) or type(error).__name__
    return said if len(said) <= most else f"{said[:most]}…"
