"""How much memory there is, so that a model can refuse before it starts."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from serendip.domain import Invalid

log = logging.getLogger(__name__)

GIB = 2**30


def available_bytes() -> int:
    """What this process may still take: free memory of the machine, or of its container where that is less."""
    limit, used = (_number(Path("/sys/fs/cgroup") / name) for name in ("memory.max", "memory.current"))
    free = [limit - used] if limit is not None and used is not None else []
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except OSError:
        free.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return max(0, min(free))


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def claim(needed: int, who: str, instead: str) -> None:
    """Name the memory that ``who`` is about to take, and refuse if there is not so much; ``instead`` is the way out."""
    free = available_bytes()
    log.info("%s takes %.2f GiB of memory; %.1f GiB are free", who, needed / GIB, free / GIB)
    if needed > 0.9 * free:
        raise Invalid(f"{who} needs {needed / GIB:.1f} GiB of memory and {free / GIB:.1f} GiB are free; {instead}")
