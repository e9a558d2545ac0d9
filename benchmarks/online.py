"""How much of the distance to the clairvoyant optimum is knowledge that no policy can have?

    python -m benchmarks.online [--json]

For traffic without memory (equal exchanges, each pause drawn anew) the best any policy can expect that
knows the chances, but not the future, is told by `sash.replay.least_expected`. The economic window, which has to learn
the chances, is run on such traffic beside it.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from itertools import islice
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from sash.model.cards import card
from sash.planning.economics import Chances
from sash.planning.strategies import Economic
from sash.replay import Memoryless, Terms, Trace, least_expected, optimum, run

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


def memoryless(law: Memoryless, seed: int, requests: int = 600) -> Trace:
    """So many requests of it."""
    dice = random.Random(f"{law.chances}/{seed}")
    return Trace("memoryless", tuple(islice(law.calls(dice), requests)), law)


def per_request(law: Memoryless, terms: Terms, rounds: int = 400) -> float:
    """Dollars of one request more, once there were many."""
    more, most = (
        least_expected(law, number, terms.card, keep=terms.keep, budget=terms.budget) for number in (rounds, rounds + 1)
    )
    return most - more


def measure(chances: Chances, keep: int, budget: int, model: str, seeds: Sequence[int]) -> dict[str, Any]:
    """Dollars per request: the best that knows the chances, the economic window, the clairvoyant optimum."""
    terms = Terms(card=card(model), keep=keep, budget=budget)
    law = Memoryless(tokens=TOKENS, pauses=PAUSES, chances=chances)
    ours, clairvoyant = [], []
    for seed in seeds:
        trace = memoryless(law, seed)
        points = run(trace, Economic(), terms, points=True).points
        ours.append((points[-1].dollars - points[WARMING].dollars) / (len(points) - WARMING - 1))
        clairvoyant.append(optimum(trace, terms.card, keep=keep, budget=budget) / len(points))
    best = per_request(law, terms)
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
