"""How many processors this process may really use."""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def cpu_quota(cgroup: Path = CGROUP) -> int:
    """Whole processors allowed by affinity and by the container's quota; at least 1.

    A library that starts a thread per visible processor inside a container with a smaller quota is
    throttled and gets slower, so a share of a processor is rounded down.
    """
    quotas = [quota for quota in (_version_2(cgroup), _version_1(cgroup)) if quota is not None]
    return max(1, int(min([float(_visible()), *quotas])))


def _visible() -> int:
    # macOS and Windows have no affinity to ask for.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version_2(cgroup: Path) -> float | None:
    words = _words(cgroup / "cpu.max")
    if len(words) != 2 or words[0] == "max":
        return None
    return float(words[0]) / float(words[1])


def _version_1(cgroup: Path) -> float | None:
    quota, period = _words(cgroup / "cpu/cpu.cfs_quota_us"), _words(cgroup / "cpu/cpu.cfs_period_us")
    if not quota or not period or float(quota[0]) <= 0:
        return None
    return float(quota[0]) / float(period[0])


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except OSError:
        return []
