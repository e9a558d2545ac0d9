"""How much of the distance to the clairvoyant optimum is knowledge that no policy can have?

    python -m benchmarks.online [--json]

For traffic without memory (equal exchanges, each pause drawn anew) the best any policy can expect that
knows the chances, but not the future, is a small decision process, solved here by value iteration. The
economic window, which has to learn the chances, is run on such traffic beside it.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from sash.model.cards import Ttl, card
from sash.planning.economics import Chances, rates
from sash.planning.strategies import Economic
from sash.replay import Terms, Trace, TraceCall, optimum, run

PAUSES = (60.0, 1200.0, 20_000.0)
TRAFFIC: tuple[Chances, ...] = (
    (0.9, 0.09, 0.01),
    (0.75, 0.2, 0.05),
    (0.6, 0.35, 0.05),
    (0.5, 0.1, 0.4),
    (0.05, 0.5, 0.45),
    (0.03, 0.6, 0.37),
)
SETTINGS = ((4_000, 64_000), (8_000, 32_000))
TOKENS = 500
WARMING = 100
"""requests of a run that are left out while it learns"""

State = tuple[int, Ttl | None]
"""exchanges in the view, and the lifetime under which all but the newest of them are alive"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The decision process: at each request stay or cut, and mark for 5 min, 1 h or not at all."""

    chances: Chances
    keep: int
    budget: int
    model: str

    def least(self, rounds: int = 400) -> float:
        """Dollars per request of the best policy, by relative value iteration."""
        actions = {state: list(self._actions(state)) for state in self._states()}
        value, first = dict.fromkeys(actions, 0.0), (self._shortest + 1, None)
        gain = 0.0
        for _ in range(rounds):
            fresh = {s: min(now + sum(p * value[n] for p, n in nxt) for now, nxt in a) for s, a in actions.items()}
            gain = fresh[first]
            value = {state: dollars - gain for state, dollars in fresh.items()}
        return gain

    @property
    def _shortest(self) -> int:
        return -(-self.keep // TOKENS)

    def _states(self) -> Iterator[State]:
        for size in range(self._shortest, self.budget // TOKENS + 2):
            yield from ((size, None), (size, "5m"), (size, "1h"))

    def _actions(self, state: State) -> Iterator[tuple[float, list[tuple[float, State]]]]:
        """(dollars now, [(chance, next state)]) of every choice."""
        size, alive = state
        fresh, read, write = rates(card(self.model).price(0))
        for ttl, price in ((None, fresh), *write.items()):
            yield price * self._shortest * TOKENS, self._next(self._shortest, ttl)
            if size * TOKENS > self.budget:
                continue
            if alive is None:
                yield price * size * TOKENS, self._next(size, ttl)
            elif ttl in (None, alive):
                yield read * (size - 1) * TOKENS + price * TOKENS, self._next(size, ttl)

    def _next(self, size: int, ttl: Ttl | None) -> list[tuple[float, State]]:
        alive = {None: 0.0, "5m": self.chances[0], "1h": self.chances[0] + self.chances[1]}[ttl]
        return [(alive, (size + 1, ttl)), (1.0 - alive, (size + 1, None))]


def memoryless(chances: Chances, seed: int, requests: int = 600) -> Trace:
    """Equal exchanges, each pause drawn anew."""
    dice = random.Random(f"{chances}/{seed}")
    return Trace("memoryless", tuple(TraceCall(dice.choices(PAUSES, chances)[0], TOKENS) for _ in range(requests)))


def measure(chances: Chances, keep: int, budget: int, model: str, seeds: Sequence[int]) -> dict[str, Any]:
    """Dollars per request: the best that knows the chances, the economic window, the clairvoyant optimum."""
    terms = Terms(card=card(model), keep=keep, budget=budget)
    ours, clairvoyant = [], []
    for seed in seeds:
        trace = memoryless(chances, seed)
        points = run(trace, Economic(), terms, points=True).points
        ours.append((points[-1].dollars - points[WARMING].dollars) / (len(points) - WARMING - 1))
        clairvoyant.append(optimum(trace, terms.card, keep=keep, budget=budget) / len(points))
    best = Process(chances=chances, keep=keep, budget=budget, model=model).least()
    return {
        "chances": chances,
        "keep": keep,
        "budget": budget,
        "model": model,
        "best": best,
        "economic": fmean(ours),
        "economic_over_best": round(fmean(ours) / best, 4),
        "best_over_clairvoyant": round(best / fmean(clairvoyant), 4),
        "economic_over_clairvoyant": round(fmean(ours) / fmean(clairvoyant), 4),
    }


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.online", description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="claude-sonnet-5")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [measure(c, keep, budget, options.model, range(6)) for c in TRAFFIC for keep, budget in SETTINGS]
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    table = Table(title=f"Memoryless traffic, {options.model}: pauses below 5 min, below 1 h, beyond")
    for column in ("chances", "keep", "economic / best", "best / clairvoyant", "economic / clairvoyant"):
        table.add_column(column)
    for row in rows:
        named = (row["economic_over_best"], row["best_over_clairvoyant"], row["economic_over_clairvoyant"])
        table.add_row(str(row["chances"]), str(row["keep"]), *(f"{value:.3f}" for value in named))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
