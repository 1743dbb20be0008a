"""Settings of Python and of the C library for a process that answers requests: all of them are here.

They apply to the whole process, so tests that start the application in their own process leave `tune_process` out.
"""

import ctypes
import gc
import sys

SWITCH_INTERVAL = 0.0005  # seconds
GC_THRESHOLDS = (50_000, 20, 50)
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # of <malloc.h>
LARGE_ALLOCATION = 1 << 20  # bytes
ARENAS = 2


def tune_process() -> None:
    """Tune a process that has started and is about to answer requests."""
    limit_arenas()
    trim_heap()
    tune_garbage_collection()
    # A thread that computes, as for a batch, keeps the GIL from the event loop for one such interval; 5 ms by default.
    sys.setswitchinterval(SWITCH_INTERVAL)


def tune_garbage_collection() -> None:
    """Leave what start-up made out of garbage collection, and collect the rest less often.

    Measured at 16 connections: full collections over what start-up made cost p99 25 ms. Requests make no cycles.
    """
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def share_memory_with_workers() -> None:
    """Leave what is imported out of garbage collection, before worker processes are forked.

    A collection writes to every object it looks at, and a page that is written to is no longer shared. Measured with
    two workers: 20 MB less in each process.
    """
    gc.collect()
    gc.freeze()


def trim_heap() -> None:
    """Collect garbage, and return free memory to the operating system if the C library can.

    Measured: of 140 MB after the first model was read, 20 MB were no longer in use, most of them its file as text.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl has not
        if trim is not None:
            trim(0)


def limit_arenas() -> None:
    """Make glibc keep little free memory.

    Threads share two arenas. By default each of a dozen threads that work on batches fills an arena of its own, which
    keeps its memory: a worker then grew to twice its size within minutes.

    Large allocations, such as the parts of a batch, are always taken from the operating system and returned to it. By
    default glibc moves them among the small ones once one was freed, where they leave gaps: of 346 MB after two
    streams of 1,000,000 customers 186 were free, and the size went on growing; with this setting it stays at 185.
    """
    if sys.platform == "linux":
        tune = getattr(ctypes.CDLL(None), "mallopt", None)
        if tune is not None:
            tune(M_ARENA_MAX, ARENAS)
            tune(M_MMAP_THRESHOLD, LARGE_ALLOCATION)
