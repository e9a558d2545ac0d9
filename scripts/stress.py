"""Run all tests again and again while something else keeps every core busy; print only what fails.

    python scripts/stress.py RUNS [arguments of pytest]

Silent when every run was green; otherwise the reports of the red ones, and exit code 1.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def burn() -> None:
    """Keep one core busy until the process that asked for it is gone."""
    parent = multiprocessing.parent_process()
    while parent is not None and parent.is_alive():
        sum(range(1_000_000))


@contextmanager
def busy() -> Iterator[None]:
    """All cores have other things to do, meanwhile."""
    others = [multiprocessing.Process(target=burn, daemon=True) for _ in range(os.cpu_count() or 1)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.terminate()
            other.join()


def report_of(arguments: list[str]) -> str:
    """What a run of all tests printed; nothing when it was green."""
    run = subprocess.run([sys.executable, "-m", "pytest", *arguments], capture_output=True, text=True, check=False)
    return run.stdout + run.stderr if run.returncode else ""


def main(runs: int, arguments: list[str]) -> int:
    """Each red run's report, as it comes."""
    red = 0
    with busy():
        for number in range(1, runs + 1):
            if report := report_of(arguments):
                red += 1
                print(f"---- run {number} of {runs} failed ----\n{report}", flush=True)
    return int(red > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
