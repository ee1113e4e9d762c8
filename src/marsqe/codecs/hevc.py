"""HEVC main still pictures, by x265 and FFmpeg's decoder (PyAV, extra ``codecs``)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.codecs.ycc import SHRINK, Plane, pixels_of, planes_of
from marsqe.colour import as_8bit
from marsqe.errors import ReadError, SettingError
from marsqe.extras import from_extra
from marsqe.image import Pixels

MODES: Final = {"true-qp": 1.0, "bpgenc-compatible": 1.4}
"""x265's ratio between inter and intra quantizers: at 1.4, its default, the QP asked for comes out three lower."""

_LAYOUTS: Final = {"4:4:4": "yuv444p", "4:2:2": "yuv422p", "4:2:0": "yuv420p"}
_MOST_QP: Final = 51
_LEAST_SIDE: Final = 16  # what x265 can code; smaller images are padded
_FOREIGN: Final = b"\xa5" * 32
_CUT: Final = "its HEVC data cannot be decoded; the file is cut short or damaged: fetch it again"


def encode_hevc(pixels: Pixels, qp: int, *, mode: str = "true-qp", subsampling: str = "4:2:0") -> bytes:
    """Compress pixels to one HEVC intra picture.

    Colour is converted to full-range BT.601 YCbCr, as for JPEG, with chroma between the columns and rows; gray is coded
    as 4:0:0. Sides that the subsampling does not divide are padded by repeating the edge: give :func:`decode_hevc` the
    shape then. Bits per pixel are ``8 * len(data) / (H * W)``, parameter sets included.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        16-bit pixels are reduced to 8 bits first.
    qp : int
        Quantization parameter 0-51, constant over the picture.
    mode : {"true-qp", "bpgenc-compatible"}
        Whether the picture is coded at ``qp`` itself, or about three below it, as ``bpgenc -q`` with x265 does.
    subsampling : {"4:2:0", "4:2:2", "4:4:4"}
        Chroma subsampling; without meaning for gray pixels.

    Returns
    -------
    bytes
        Annex B stream: VPS, SPS, PPS and the picture, no messages.

    Raises
    ------
    SettingError
        If ``qp``, ``mode`` or ``subsampling`` is none that can be had.
    MissingExtraError
        If PyAV is not installed.
    """
    if not 0 <= qp <= _MOST_QP:
        raise SettingError(f"QP must lie in 0-{_MOST_QP}, not {qp}")
    if mode not in MODES:
        raise SettingError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
    if subsampling not in SHRINK:
        raise SettingError(f"chroma subsampling must be one of {', '.join(SHRINK)}, not {subsampling!r}")
    av = from_extra("av", "codecs", "HEVC")
    source = as_8bit(pixels)
    across, down = SHRINK[subsampling] if source.ndim == 3 else (1, 1)
    planes = planes_of(_padded(source, down, across), subsampling)
    encoder = av.CodecContext.create("libx265", "w")
    encoder.height, encoder.width = planes[0].shape
    encoder.pix_fmt = "gray" if source.ndim == 2 else _LAYOUTS[subsampling]
    encoder.time_base = Fraction(1, 1)
    encoder.options = {"preset": "veryslow", "tune": "ssim", "x265-params": _parameters(qp, mode)}
    frame = _frame(av, planes, encoder.pix_fmt)
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def decode_hevc(data: bytes, shape: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Decode what :func:`encode_hevc` wrote.

    Parameters
    ----------
    data : bytes
    shape : (int, int), optional
        Height and width, where the picture was padded.

    Returns
    -------
    ndarray of uint8, shape (H, W) or (H, W, 3)

    Raises
    ------
    ReadError
        If the stream is damaged, cut short or not 8-bit, or smaller than ``shape``.
    MissingExtraError
        If PyAV is not installed.
    """
    planes, depth = decode_planes(data)
    height, width = shape or planes[0].shape
    if depth != 8 or height > planes[0].shape[0] or width > planes[0].shape[1]:
        raise ReadError(f"it has {depth} bits and {planes[0].shape} pixels; give what encode_hevc wrote, and its shape")
    return pixels_of(planes, (height, width))


def decode_planes(stream: bytes) -> tuple[list[Plane], int]:
    """Decode the first picture of an Annex B stream to its planes and their bits per sample.

    Raises
    ------
    ReadError
        If there is no whole picture in it, or it has no planes of one kind of sample.
    MissingExtraError
        If PyAV is not installed.
    """
    av = from_extra("av", "codecs", "HEVC")
    planes, depth = _decoded(av, stream)
    # FFmpeg invents what a stream that was cut short lacks. What follows a whole one changes nothing, so a second
    # decoding with other bytes behind it gives the same picture only if nothing was invented.
    again, _ = _decoded(av, stream + _FOREIGN)
    if any(not np.array_equal(one, other) for one, other in zip(planes, again, strict=True)):
        raise ReadError(_CUT)
    return planes, depth


def _decoded(av: Any, stream: bytes) -> tuple[list[Plane], int]:
    decoder = av.CodecContext.create("hevc", "r")
    decoder.thread_count = 1
    decoder.options = {"err_detect": "explode+crccheck+bitstream+buffer"}
    try:
        frames = [*decoder.decode(av.Packet(stream)), *decoder.decode(None)]
    except (av.FFmpegError, ValueError) as error:
        raise ReadError(f"{_CUT} ({error})") from error
    if not frames or frames[0].is_corrupt:
        raise ReadError(_CUT)
    frame = frames[0]
    depth = frame.format.components[0].bits
    return [_samples(plane, depth) for plane in frame.planes], depth


def _samples(plane: Any, depth: int) -> Plane:
    dtype = np.dtype(np.uint8 if depth == 8 else "<u2")
    rows = np.frombuffer(plane, dtype).reshape(plane.height, plane.line_size // dtype.itemsize)
    return np.ascontiguousarray(rows[:, : plane.width])


def _frame(av: Any, planes: list[NDArray[np.uint8]], layout: str) -> Any:
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, layout)
    for target, plane in zip(frame.planes, planes, strict=True):
        rows = np.zeros((target.height, target.line_size), np.uint8)
        rows[:, : target.width] = plane
        target.update(rows.tobytes())
    frame.pts = 0
    return frame


def _padded(pixels: NDArray[np.uint8], down: int, across: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    below = max(-height % down, _LEAST_SIDE - height)
    right = max(-width % across, _LEAST_SIDE - width)
    return np.pad(pixels, ((0, below), (0, right), *[(0, 0)] * (pixels.ndim - 2)), mode="edge")


def _parameters(qp: int, mode: str) -> str:
    chosen = {
        "qp": qp,
        "ipratio": MODES[mode],
        "pbratio": 1,
        "keyint": 1,
        "range": "full",
        "colormatrix": "smpte170m",
        "chromaloc": 1,
        "info": 0,  # else x265 writes its settings, some kilobytes, into the stream
        # One thread each, so that many images can be coded side by side.
        "pools": "none",
        "frame-threads": 1,
        "log-level": "none",
    }
    return ":".join(f"{key}={value}" for key, value in chosen.items())
