"""Where the networks run, and in which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from marsqe.errors import DeviceError, SettingError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32")


def resolve_device(device: str) -> torch.device:
    """The device of a name; "auto" takes CUDA, then MPS, then the CPU.

    Raises
    ------
    SettingError
        If the name is none of ``DEVICES``.
    DeviceError
        If this machine has no such device.
    """
    import torch

    if device not in DEVICES:
        raise SettingError(f"device must be one of {', '.join(DEVICES)}, not {device!r}")
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present[device]:
        raise DeviceError(f"this machine offers no {device.upper()} device; choose another device, or auto")
    return torch.device(device)


def half_precision(device: torch.device, precision: str = "auto") -> torch.dtype | None:
    """The 16-bit type in which convolutions are fast on the device; None where only 32 bits are, or are wanted.

    Raises
    ------
    SettingError
        If the precision is none of ``PRECISIONS``.
    """
    import torch

    if precision not in PRECISIONS:
        raise SettingError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}")
    if precision == "float32":
        return None
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "cpu":
        ask = getattr(torch.cpu, "get_capabilities", None)  # absent from older versions of torch
        able = ask() if ask is not None else {}
        return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else None
    return None


def autocast(device: torch.device, precision: str = "auto") -> AbstractContextManager[Any]:
    """Autocast to :func:`half_precision`, or nothing."""
    import torch

    dtype = half_precision(device, precision)
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype)
