"""The bytes of a file and what kind of file they are, told by the bytes and never by the name."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from marsqe.errors import ReadError
from marsqe.read.limits import MAX_BYTES

KINDS: Final = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BPG\xfb": "BPG",
    b"PDS_VERSION_ID": "PDS",
    b"ODL_VERSION_ID": "PDS",
    b"CCSD3ZF": "PDS",
    b"LBLSIZE=": "VICAR",
}

# Files that people do try to open, so that the error can name them.
_OTHERS: Final = {
    b"GIF8": "a GIF (256 colours, often animated)",
    b"BM": "a BMP image",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 image",
    b"\xff\x4f\xff\x51": "a JPEG 2000 image",
    b"\0\0\0\x0cJXL ": "a JPEG XL image",
    b"\xff\x0a": "a JPEG XL image",
    b"8BPS": "a Photoshop document",
    b"%PDF": "a PDF document",
    b"SIMPLE  =": "a FITS file",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
}
_HEIC: Final = (b"heic", b"heix", b"heim", b"heis", b"mif1")
_BRANDS: Final = {
    b"avif": "an AVIF image",
    b"avis": "an AVIF animation",
    b"hevc": "a sequence of HEIC images",
    b"hevx": "a sequence of HEIC images",
    b"msf1": "a sequence of HEIF images",
}
_ADVICE: Final = "MarsQE reads JPEG, PNG, TIFF and WebP, and HEIC, BPG, PDS and VICAR products"


def load(path: Path) -> tuple[bytes, str]:
    """Read a file.

    Returns
    -------
    data : bytes
        The whole file.
    kind : {"JPEG", "PNG", "TIFF", "WebP", "HEIC", "BPG", "PDS", "VICAR"}

    Raises
    ------
    ReadError
        If the file is missing, a folder, not readable, empty, too large, or not of these kinds.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise ReadError("it is a folder; choose an image file inside it")
        if not stat.S_ISREG(status.st_mode):
            raise ReadError("it is a device or a pipe, not a file; choose an image file")
        if status.st_size > MAX_BYTES:
            raise ReadError(
                f"its {status.st_size / 1e9:.1f} GB are above the limit of {MAX_BYTES / 1e9:.1f} GB; cut it first"
            )
        with open(path, "rb") as file:
            head = file.read(64)
            kind = "PDS" if _has_label_beside(path, head) else kind_of(head)
            data = head + file.read()
    except FileNotFoundError as error:
        raise ReadError("there is no such file; check the name and the folder") from error
    except PermissionError as error:
        raise ReadError("you have no permission to read it; change its permissions or copy it elsewhere") from error
    except (OSError, ValueError) as error:
        raise ReadError(f"the system cannot read it ({error}); check the name and the disk") from error
    return data, kind


def _has_label_beside(path: Path, head: bytes) -> bool:
    """Whether a file is the bare data of a product whose label is a file of its own."""
    if path.suffix.lower() != ".img" or not head or head.startswith(tuple(KINDS)):
        return False
    return any(path.with_suffix(suffix).is_file() for suffix in (".LBL", ".lbl", ".xml", ".XML"))


def kind_of(head: bytes) -> str:
    """Kind of a file from its first 64 bytes; raises as :func:`load`."""
    if not head:
        raise ReadError("the file is empty; fetch it again from its source")
    for magic, kind in KINDS.items():
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head.lstrip()[:5] == b"<?xml":
        return "PDS"
    if head[4:8] == b"ftyp":
        if head[8:12] in _HEIC:
            return "HEIC"
        name: str | None = _BRANDS.get(head[8:12], "a video")
    else:
        name = next((name for magic, name in _OTHERS.items() if head.startswith(magic)), None)
    if name is not None:
        raise ReadError(f"it is {name}; {_ADVICE}: convert it to PNG or TIFF first")
    if head.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        raise ReadError("it is a web page, saved in place of the image; download the image itself")
    raise ReadError(f"it is not an image, whatever its name says; {_ADVICE}")
