"""python -m benchmarks [name …] [--quick] [--runs N] [--data FOLDER]"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from benchmarks import report
from benchmarks.report import Options

NAMES = ("sync", "limits", "metrics", "card", "pages", "memory", "segments", "mailings", "emulator")


def main() -> int:
    """Run the measurements asked for; 1 when a promise was not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it still run?")
    parser.add_argument("--runs", type=int, default=0, help="repetitions; the median is shown")
    parser.add_argument("--data", type=Path, help="keep the large mirror here for the next run")
    asked = parser.parse_args()
    for name in asked.names:
        if name not in NAMES:
            parser.error(f"{name!r} is none of {', '.join(NAMES)}")
    options = Options(asked.quick, asked.runs or (1 if asked.quick else 5), asked.data)
    print(f"{report.machine()}\nload average {report.load()}; medians of {options.runs} run(s)")
    kept = True
    for name in asked.names or NAMES:
        module = import_module(f"benchmarks.{name}")
        figures = module.measure(options)
        report.show(f"{module.TITLE}  (load {report.load()})", figures)
        kept = kept and all(figure.met is not False for figure in figures)
    return 0 if kept or options.quick else 1


if __name__ == "__main__":
    raise SystemExit(main())
