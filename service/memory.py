"""Memory that start-up and a change of the model leave behind."""

import ctypes
import gc
import sys

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # of <malloc.h>
LARGE = 1 << 20  # bytes
ARENAS = 2


def give_back() -> None:
    """Collects what nobody holds any more, and returns free memory to the operating system where its C library can.

    Measured: of 140 MB after the first model was read, 20 MB were no longer of use, most of them its file as text.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl has not
        if trim is not None:
            trim(0)


def keep_little() -> None:
    """Has glibc keep little memory that is free.

    Threads share two of its pools. By default each of a dozen threads that work on batches fills one of its own, which
    keeps what it once took: a worker then grew to twice its size within minutes.

    What is large, as the parts of a batch are, is taken from the operating system and given back each time. By default
    it is put among what is small once such a thing was freed, and leaves gaps: of 346 MB after two streams of 1,000,000
    customers 186 were free, and ever more of them; so it stays at 185.
    """
    if sys.platform == "linux":
        tune = getattr(ctypes.CDLL(None), "mallopt", None)
        if tune is not None:
            tune(M_ARENA_MAX, ARENAS)
            tune(M_MMAP_THRESHOLD, LARGE)
