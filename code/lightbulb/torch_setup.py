"""torch as this project uses it: everyone imports `torch` from here, never directly.

glibc hands freed memory back to the system at once, and every layer of a convolutional network asks
for it again. Told to keep it, the same forward pass takes about half the time. It also keeps memory apart for
dozens of threads; each thread that answers requests would hold as much as a whole forward pass takes, and
find none of it in the processor's cache. So they share.

OpenMP's threads spin while they wait for each other, which pays only where nothing else wants a core. Here
something does: images are decoded, a model is fitted, pages are served. Where a thread spins on the core that
the thread it waits for needs, one forward pass takes a second instead of 20 ms; so they sleep.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # <malloc.h>
ONE_GIBIBYTE = 1 << 30


def keep_freed_memory() -> None:
    """And little of it. Only glibc has `mallopt`; elsewhere this does nothing."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_TRIM_THRESHOLD, ONE_GIBIBYTE)
        libc.mallopt(M_MMAP_THRESHOLD, ONE_GIBIBYTE)
        libc.mallopt(M_ARENA_MAX, os.cpu_count() or 1)


keep_freed_memory()
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # OpenMP reads it when torch is loaded

import torch  # noqa: E402
from threadpoolctl import ThreadpoolController  # noqa: E402

__all__ = [
    "CORES", "device_problem", "has_bfloat16", "keep_to_one_thread", "pick_device", "scripted", "torch",
    "torch_threads", "without_warnings",
]  # fmt: skip

CORES = torch.get_num_threads()
_QUIET = threading.RLock()


@contextlib.contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Runs the block with `count` threads for each operation; None leaves it as it is.

    In this thread only: `torch.set_num_threads` would also turn it down for those that start meanwhile.
    """
    torch.get_num_threads()  # with its first operation a thread takes over torch's number: now, not later
    with _openmp().limit(limits=count):
        yield


def keep_to_one_thread() -> None:
    """In a thread that works beside others, one for each core: its operations are not shared out any more.

    Cores that share every layer of a network wait for each other after it, dozens of times.
    """
    torch.get_num_threads()  # as above
    _openmp().limit(limits=1)


@functools.cache
def _openmp() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="openmp")


@contextlib.contextmanager
def without_warnings() -> Iterator[None]:
    """For one thread at a time: `catch_warnings` changes what all are warned of, and puts it back."""
    with _QUIET, warnings.catch_warnings(action="ignore"):
        yield


@functools.cache
def scripted(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A function of tensors as one call into torch, which a tracer can follow, too.

    Between operations called one by one Python's lock is waited for. The function itself where torch has no
    TorchScript, as for Python 3.14.
    """
    try:
        with without_warnings():
            return torch.jit.script(function)
    except Exception:
        return function


def device_problem(wanted: str) -> str | None:
    """Why a device cannot be used, or None. wanted: "auto", "cpu", "cuda" or "cuda:N"."""
    if wanted in ("auto", "cpu"):
        return None
    kind, _, number = wanted.partition(":")
    if kind != "cuda" or (number and not number.isdigit()):
        return f"unknown device {wanted!r} (auto, cpu, cuda or cuda:N)"
    if not torch.cuda.is_available():
        return "torch finds no CUDA device here"
    if number and int(number) >= torch.cuda.device_count():
        return f"there are only {torch.cuda.device_count()} CUDA devices"
    return None


def pick_device(wanted: str) -> torch.device:
    """ "auto" → CUDA where there is one, else the CPU; anything else as it is called."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wanted)


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is computed with in hardware, rather than imitated."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
