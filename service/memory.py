"""Memory that start-up and a change of the model leave behind."""

import ctypes
import gc
import sys

M_ARENA_MAX = -8  # of <malloc.h>
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


def keep_to_few_arenas() -> None:
    """Has threads share two of glibc's pools of memory. By default each of a dozen threads that work on batches fills
    one of its own, which keeps what it once took: a worker then grew to twice its size within minutes."""
    if sys.platform == "linux":
        tune = getattr(ctypes.CDLL(None), "mallopt", None)
        if tune is not None:
            tune(M_ARENA_MAX, ARENAS)
