"""Makes the C library give large blocks back to the system."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# From glibc's malloc.h: what is kept at the end of the heap, and from which size on a block is no part of the heap.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def install() -> None:
    """As it comes, glibc raises both with the largest block that it has seen freed: one large body would be kept for
    good, and every one after it be a hole in the heap. Other C libraries have no such settings.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, 1 << 18)
        libc.mallopt(_TRIM_THRESHOLD, 1 << 20)
