"""What a measurement says, and how it is printed: figures, ratios, the machine and its load."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """How large and how often; `data` is a folder whose servers and rows are kept for the next run."""

    quick: bool
    runs: int
    data: Path | None


@dataclass(frozen=True)
class Figure:
    """One line of a result. `met` is None when nothing was promised."""

    what: str
    value: str
    ratio: str = ""
    goal: str = ""
    met: bool | None = None


def rounds(contenders: Mapping[str, Callable[[], None]], runs: int) -> dict[str, list[float]]:
    """Seconds of each contender, in turns, so that a busy minute of the machine hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(runs):
        order = list(contenders.items())
        for name, work in order if number % 2 == 0 else reversed(order):
            seconds[name].append(timed(work))
    return seconds


def timed(work: Callable[[], object]) -> float:
    """Wall seconds of one call, without the garbage of the former one."""
    gc.collect()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """How many times `fast` is faster, by the medians."""
    return statistics.median(slow) / statistics.median(fast)


def percentile(values: Iterable[float], share: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def machine() -> str:
    """Processor, number of cores, memory, Python."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def load() -> str:
    """The load averages now."""
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def show(title: str, figures: Sequence[Figure]) -> None:
    """Print a result as aligned columns."""
    print(f"\n{title}")
    rows = [(f.what, f.value, f.ratio, f.goal, _mark(f)) for f in figures]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        print(("  " + "   ".join(cells)).rstrip(), flush=True)


def _mark(figure: Figure) -> str:
    return {None: "", True: "met", False: "NOT MET"}[figure.met]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
