"""Keep freed memory, so that a training step or a decoder does not pay for its pages again and again."""

from __future__ import annotations

import ctypes
import sys

# Numbers of <malloc.h>
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Make glibc keep freed blocks for the next allocation; elsewhere do nothing.

    A step of `mgcc` allocates and frees 2 GB of activations. By default glibc takes every block above 32 MB
    from the kernel and gives it back when freed, and the kernel clears each page again on first touch: on two cores
    that was seen to take longer than all convolutions together. The cost is that the process keeps its peak memory.

    Returns:
        Whether it was done.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    # No mmap: all from the heap. Never trim the heap (-1). Grow it in steps of 64 MB.
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1) and mallopt(_M_TOP_PAD, 64 << 20))
