"""Run all tests again and again while something else keeps every core busy; print only what fails.

    python scripts/stress.py RUNS AT_ONCE [arguments of pytest]

So many of the runs go on at once, each in the others' way. Silent when every run was green; otherwise the reports of
the red ones, and exit code 1.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
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


def main(runs: int, at_once: int, arguments: list[str]) -> int:
    """Each red run's report, as it comes."""
    red = 0
    with busy(), ThreadPoolExecutor(at_once) as pool:
        for run in as_completed([pool.submit(report_of, arguments) for _ in range(runs)]):
            if report := run.result():
                red += 1
                print(f"---- {red} of {runs} runs failed ----\n{report}", flush=True)
    return int(red > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
