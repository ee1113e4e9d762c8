"""The image that flows through every step: pixels, what the file says of their compression, and their origin."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import SettingError

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

_SUBSAMPLING_NAMES: Final = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (2, 2): "4:2:0",
    (1, 2): "4:4:0",
    (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}
_EYES: Final = {"left": "left", "right": "right", "both": "both eyes"}


@dataclass(frozen=True)
class Compression:
    """Facts of the file's compression.

    Attributes
    ----------
    codec : str
        "JPEG", "PNG", "TIFF", "WebP", "HEIC", "BPG" or "none" (pixels that came from no file). Of mission products it
        is what was used on board, as far as their label says: "ICER", "LOCO", "JPEG on board" or another; else the
        product's own kind: "PDS3", "PDS4" or "VICAR".
    lossy : bool
        Whether the codec discarded information.
    tables : tuple of (8, 8) ndarray of int, or None
        Quantization steps per component (luma, then chroma), row-major frequencies; None where there are none.
    quality : int or None
        Quality factor 1-100 of the luma table (JPEG), or what a mission product's label says of it.
    quality_exact : bool
        Whether ``tables[0]`` is exactly the standard table of ``quality``; otherwise it is the nearest.
    subsampling : (int, int) or None
        Horizontal and vertical chroma subsampling; None for gray and for codecs without one.
    bits_per_pixel : float
        File size in bits over the number of pixels; NaN where there is no file. Of mission products what was sent to
        Earth, where their label says so.
    qp : int or None
        Quantization parameter of an HEVC picture, where the file's header is read for it.
    """

    codec: str = "none"
    lossy: bool = False
    tables: tuple[NDArray[np.int64], ...] | None = None
    quality: int | None = None
    quality_exact: bool = False
    subsampling: tuple[int, int] | None = None
    bits_per_pixel: float = float("nan")
    qp: int | None = None

    @property
    def subsampling_name(self) -> str | None:
        """The subsampling as photographers write it, for example ``4:2:0``."""
        if self.subsampling is None:
            return None
        return _SUBSAMPLING_NAMES.get(self.subsampling, f"{self.subsampling[0]}x{self.subsampling[1]}")

    def summary(self) -> str:
        """One line for people: codec, quality, subsampling, bits per pixel."""
        parts = [self.codec]
        if self.quality is not None:
            parts.append(f"quality {self.quality}" if self.quality_exact else f"quality near {self.quality}")
        if self.qp is not None:
            parts.append(f"QP {self.qp}")
        if self.subsampling_name:
            parts.append(self.subsampling_name)
        if np.isfinite(self.bits_per_pixel):
            parts.append(f"{self.bits_per_pixel:.2f} bits per pixel")
        return ", ".join(parts)


@dataclass(frozen=True)
class Product:
    """Identity of a mission product; None where the file name does not tell.

    Attributes
    ----------
    mission : str or None
        "Perseverance", "Ingenuity", "Curiosity", "Opportunity", "Spirit" or "InSight".
    camera : str or None
        For example "front Hazcam" or "Mastcam-Z".
    eye : str or None
        "left", "right" or, for stereo products, "both".
    filter : str or None
        Optical filter or lamp, for example "R6 (1022 nm)".
    sol : int or None
        Martian day of the mission; never computed from the clock.
    clock : str or None
        Spacecraft clock in seconds, with the fraction that the name has. Frames of one Mastcam-Z or SHERLOC sequence
        may share that of the first.
    onboard_compression : str or None
        How the pixels were compressed before they were sent, for example "JPEG quality 95" or "ICER lossless".
    onboard_quality : int or None
        The JPEG quality factor of that, 1-99.
    product_type : str or None
        The mission's own code, for example "ECM", "RAD", "EDR" or "DRCL".
    colour : str or None
        What the samples are where the name says so: "RGB", "Bayer mosaic", "panchromatic", "red band".
    sequence : str or None
        Identifier of the commanded sequence.
    site, drive : int or None
        Counters of the rover's position.
    thumbnail : bool or None
        Whether it is one.
    downsampling : int or None
        Pixels along each side that were averaged or skipped for one, 1 for none.
    """

    mission: str | None = None
    camera: str | None = None
    eye: str | None = None
    filter: str | None = None
    sol: int | None = None
    clock: str | None = None
    onboard_compression: str | None = None
    onboard_quality: int | None = None
    product_type: str | None = None
    colour: str | None = None
    sequence: str | None = None
    site: int | None = None
    drive: int | None = None
    thumbnail: bool | None = None
    downsampling: int | None = None

    def summary(self) -> str:
        """One line for people; empty where nothing is known."""
        if self.mission is None:
            return ""
        parts = [self.mission]
        if self.camera:
            parts.append(f"{self.camera} ({_EYES[self.eye]})" if self.eye in _EYES else self.camera)
        if self.filter:
            parts.append(f"filter {self.filter}")
        if self.colour and self.colour != "RGB":
            parts.append(self.colour)
        if self.sol is not None:
            parts.append(f"sol {self.sol}")
        if self.thumbnail:
            parts.append("thumbnail")
        if self.downsampling not in (None, 1):
            parts.append(f"downsampled {self.downsampling}x{self.downsampling}")
        if self.onboard_compression:
            parts.append(f"{self.onboard_compression} on board")
        return ", ".join(parts)


@dataclass(frozen=True)
class MarsImage:
    """One image and what is known of it.

    Attributes
    ----------
    pixels : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        Gray or RGB, the full range of the dtype, as seen upright (EXIF orientation applied).
    compression : Compression
    product : Product
    path : Path or None
        The file; None for pixels that came from none.
    sha256 : str
        Hexadecimal SHA-256 of the file's bytes, or of the pixels where there is no file.
    orientation : int
        EXIF orientation 1-8 that was applied; the JPEG grid starts at the corner of the *stored* frame.
    metadata : dict
        What else the file carried and an export should keep: "resolution" (x, y, unit), "icc", "exif" bytes;
        and "warnings", sentences (:attr:`warnings`).
    """

    pixels: Pixels
    compression: Compression = field(default_factory=Compression)
    product: Product = field(default_factory=Product)
    path: Path | None = None
    sha256: str = ""
    orientation: int = 1
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_array(cls, pixels: Pixels, **facts: Any) -> MarsImage:
        """Wrap pixels that came from no file.

        Raises
        ------
        SettingError
            If the array is not (H, W) or (H, W, 3) of uint8 or uint16, or has no pixels.
        """
        array = np.ascontiguousarray(pixels)
        if array.dtype not in (np.uint8, np.uint16):
            raise SettingError(f"pixels must be 8-bit or 16-bit unsigned integers, not {array.dtype}: convert first")
        if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
            raise SettingError(f"pixels must be (height, width) or (height, width, 3), not {array.shape}")
        if array.size == 0:
            raise SettingError("the image has no pixels")
        digest = hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest()
        return cls(cast(Pixels, array), **({"sha256": digest} | facts))

    @property
    def name(self) -> str:
        """The file's stem, or "image"."""
        return self.path.stem if self.path is not None else str(self.metadata.get("name", "image"))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of the file before its pixels are trusted; sentences without capital and full stop."""
        return tuple(map(str, self.metadata.get("warnings", ())))

    @property
    def is_colour(self) -> bool:
        """Whether there are three channels."""
        return self.pixels.ndim == 3

    @property
    def data_range(self) -> int:
        """Largest value of the dtype: 255 or 65535."""
        return int(np.iinfo(self.pixels.dtype).max)

    @property
    def full_scale(self) -> int:
        """Value of full exposure: that of the bits that the product says it uses, or the largest of the dtype."""
        bits = self.metadata.get("significant_bits")
        return self.data_range if bits is None else min(self.data_range, 2 ** int(bits) - 1)

    def with_pixels(self, pixels: Pixels) -> MarsImage:
        """The same image with other pixels."""
        return replace(self, pixels=pixels)


def to_stored(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn an upright (H, W, ...) array back to the frame that the file stores (inverse of :func:`to_upright`)."""
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    return to_upright(array, inverse)


def to_upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an EXIF orientation (1-8) to a stored (H, W, ...) array."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    vertical = orientation in (3, 4, 7, 8)
    horizontal = orientation in (2, 3, 6, 7)
    if vertical:
        array = array[::-1]
    if horizontal:
        array = array[:, ::-1]
    return np.ascontiguousarray(array)
