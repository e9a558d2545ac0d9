"""A search for walks that break a law: `python tests/search_walks.py --walks 1000 --seed 7 economic stepped`.

Each strategy (all of `strategies.WINDOWS` where none is named) takes its walks in batches, each with a seed of its own
that is printed; so a search can be split by strategy, taken up again with a later seed, or repeated. Each walk that
broke a law is made shorter and printed as an entry ready for `FOUND` in tests/laws/test_walks.py. The exit code is
1 if there was any.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace

from hypothesis import HealthCheck, Phase, given, seed, settings

from searching import keep
from strategies import WINDOWS, Afternoon, afternoons
from walks import take

BATCH = 100
"""Walks for each seed."""


@dataclass(frozen=True)
class Broken:
    """A walk that broke a law, and how."""

    afternoon: Afternoon
    what: str
    """the error's type and where it was raised: two walks with the same are one find"""
    message: str


@dataclass
class Batch:
    """What came of some walks under one strategy, all of them drawn from one seed."""

    window: str
    seed: int
    walks: int = 0
    seconds: float = 0.0
    broken: list[Broken] = field(default_factory=list)


def taken(afternoon: Afternoon) -> Broken | None:
    """Take a walk; what it broke, if anything."""
    try:
        take(afternoon)
    except Exception as error:  # noqa: BLE001 - whatever it raises is the find
        lines = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
        what = f"{type(error).__name__} in {lines[-1].name}, line {lines[-1].lineno}"
        return Broken(afternoon, what, str(error)[:300])
    return None


def search(window: str, walks: int, first: int) -> Iterator[Batch]:
    """So many walks under a strategy, in batches with the seeds `first`, `first + 1`, ..."""
    for number, done in enumerate(range(0, walks, BATCH)):
        batch = Batch(window, first + number)
        began = time.perf_counter()
        _take_batch(batch, min(BATCH, walks - done))
        batch.seconds = time.perf_counter() - began
        yield batch


def _take_batch(batch: Batch, walks: int) -> None:
    @seed(batch.seed)
    @settings(
        max_examples=walks,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(afternoons(batch.window))
    def walked(afternoon: Afternoon) -> None:
        batch.walks += 1
        if (broken := taken(afternoon)) is not None:
            batch.broken.append(broken)

    walked()


def shorter(broken: Broken) -> Broken:
    """The same find with fewer steps and plainer settings, as far as leaving out one at a time leads."""
    while True:
        smaller = (taken(candidate) for candidate in _smaller(broken.afternoon))
        found = next((one for one in smaller if one is not None and one.what == broken.what), None)
        if found is None:
            return broken
        broken = found


def _smaller(afternoon: Afternoon) -> Iterator[Afternoon]:
    steps = list(afternoon.steps)
    for index in reversed(range(len(steps))):
        yield replace(afternoon, steps=steps[:index] + steps[index + 1 :])
    for part in fields(Afternoon):
        if part.name in ("recall", "memo", "fallback", "keys", "users") and getattr(afternoon, part.name):
            yield replace(afternoon, **{part.name: part.default})  # type: ignore[arg-type]


def main() -> int:
    """Search, and print: a line for each batch, an entry for each find."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("windows", nargs="*", metavar="STRATEGY", help="keys of strategies.WINDOWS; none: all")
    parser.add_argument("--walks", type=int, default=100, help="walks under each strategy (100)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**9), help="of the first batch (by chance)")
    asked = parser.parse_args()
    if unknown := set(asked.windows) - WINDOWS.keys():
        parser.error(f"no strategy {', '.join(sorted(unknown))}; there are: {', '.join(sorted(WINDOWS))}")
    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("error", category=UserWarning)  # as in the tests: whatever the SDK warns of is a find
    finds: dict[str, Broken] = {}
    for window in asked.windows or sorted(WINDOWS):
        for batch in search(window, asked.walks, asked.seed):
            print(
                f"{window}: {batch.walks} walks, seed {batch.seed}, {batch.seconds:.0f} s, {len(batch.broken)} broken"
            )
            for broken in batch.broken:
                if broken.what not in finds:
                    finds[broken.what] = shortest = shorter(broken)
                    entry = f'    "{shortest.what}: {shortest.message}": {shortest.afternoon!r},'
                    print(entry)
                    keep(f"walks-{asked.seed}", entry)
            sys.stdout.flush()
    return bool(finds)


if __name__ == "__main__":
    sys.exit(main())
