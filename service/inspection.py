"""Keeping other processes from reading this one's environment and memory, where passwords are."""

import ctypes
import sys

PR_SET_DUMPABLE = 4  # <linux/prctl.h>


def forbid_inspection() -> None:
    """No process of the same user, the one that unpickles among them, may trace this one, or read its environment or
    memory under /proc; a process with CAP_SYS_PTRACE, such as root's, still may. No core dump is written either.

    Processes forked from this one inherit that; a program that they execute does not. On Linux only.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
