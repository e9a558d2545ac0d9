"""How good are the counts? Against recorded counts of the real endpoint, and against the usage of real sessions.

    python -m benchmarks.counting --truth counts.jsonl.gz [--json] [--base auto|ctok|tiktoken|features]
    python -m benchmarks.counting --transcripts DIR [--json] [--base ...] [--budget N]

`--truth` counts each text as a single user message and compares with chars/4, cl100k, and cl100k scaled
by its median error on this very file (its best case). The tiktoken and features bases were fitted on such
a file: their errors on texts they did not see are in `weights.json`, printed by `benchmarks.fit_counting`.
`--transcripts` replays Claude Code sessions, each as the first of its file: before each request the ledger predicts
its total from what was known then, learning as it goes. Hidden content that a transcript does not show (system
reminders, thinking summarised away) counts as error. Each session is given with how often its bound was passed, without
and with the allowance for such content (`sash.counting.unseen`); its two shares were chosen on `TUNED_ON` alone.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any

from rich.console import Console
from rich.table import Table

from sash.counting import bases
from sash.counting.estimator import COVERAGE, Estimator
from sash.counting.ledger import reply_count
from sash.counting.measure import NOTHING, Measure
from sash.counting.unseen import allowance
from sash.flows.request.exact_count import AT_STAKE
from sash.formats import ImportedConversation, LoggedRequest, claude_code, requests
from sash.model.cards import card
from sash.model.counts import Count
from sash.model.usage import Usage

TUNED_ON = ("258c7280",)
"""Beginnings of the names of sessions that anything was tuned on: marked as such in every report."""
LEARNING = 20
"""Requests at the beginning of a session after which its bound is to hold."""
BUDGETS = tuple(range(30_000, 165_000, 5_000))
"""Without `--budget`, endpoint calls are averaged over these: a session crosses one budget only a few times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A predicted count next to the real one; `upper` is None for methods without a bound."""

    real: int
    tokens: float
    upper: int | None = None
    plain: int | None = None
    """the upper bound without the allowance for what is unseen"""

    @property
    def error(self) -> float:
        """Relative error, without sign."""
        return abs(self.tokens / self.real - 1)


def main() -> None:
    """Run one of the two modes and print a table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counting", description=__doc__.split("\n")[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--truth", type=Path, help="recorded counts (.jsonl or .jsonl.gz)")
    mode.add_argument("--transcripts", type=Path, help="a folder of Claude Code transcripts (.jsonl)")
    parser.add_argument("--base", default="auto", choices=("auto", "ctok", "tiktoken", "features"))
    parser.add_argument("--budget", type=int, help="tokens, for endpoint calls; default: the mean over many budgets")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    budgets = (options.budget,) if options.budget else BUDGETS
    if options.truth:
        report: Any = against_truth(read_truth(options.truth), options.base)
        table = truth_table(report)
    else:
        report = against_transcripts(sorted(options.transcripts.glob("*.jsonl")), options.base, budgets)
        table = facts_table(report)
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        Console().print(table)


# ---- recorded counts -------------------------------------------------------------------------------


def read_truth(path: Path) -> list[dict[str, Any]]:
    """The recorded texts: `text`, `kind`, and `generation` (generation -> tokens as a single user message)."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in raw.decode("utf-8").split("\n") if line.strip()]


def against_truth(rows: Sequence[Mapping[str, Any]], base: str) -> list[dict[str, Any]]:
    """One row per generation, kind and method."""
    report = []
    for generation in sorted({name for row in rows for name in row["generation"]}):
        there = [row for row in rows if generation in row["generation"]]
        for method, guess in methods(there, generation, base).items():
            guesses = [(row["kind"], guess(row)) for row in there]
            report += [
                truth_row(generation, kind, method, [g for of, g in guesses if of == kind])
                for kind in sorted({row["kind"] for row in there})
            ]
    return report


def methods(
    rows: Sequence[Mapping[str, Any]], generation: str, base: str
) -> dict[str, Callable[[Mapping[str, Any]], Guess]]:
    """Ours on the base asked for, on each other base at hand, and what others do."""
    found = {"sash": ours(generation, base)}
    best = bases.base(generation, base).name  # type: ignore[arg-type]
    for other in ("ctok", "tiktoken", "features"):
        if other != best and bases._at_hand(other):
            found[f"sash, {other}"] = ours(generation, other)
    found["chars/4"] = lambda row: Guess(real=row["generation"][generation], tokens=len(row["text"]) / 4)
    if bases._at_hand("tiktoken"):
        plain = {id(row): len(bases._load_tiktoken()(row["text"])) for row in rows}
        factor = median(row["generation"][generation] / plain[id(row)] for row in rows)
        found["cl100k"] = lambda row: Guess(real=row["generation"][generation], tokens=plain[id(row)])
        found["cl100k scaled"] = lambda row: Guess(real=row["generation"][generation], tokens=factor * plain[id(row)])
    return found


def ours(generation: str, base: str) -> Callable[[Mapping[str, Any]], Guess]:
    """The estimator: a text as a single user message, its frame and the request's included."""
    estimator = Estimator(generation, base=base)  # type: ignore[arg-type]
    empty = estimator.measure_preamble()

    def guess(row: Mapping[str, Any]) -> Guess:
        count = estimator.count(empty + estimator.measure_message("user", row["text"]))
        return Guess(real=row["generation"][generation], tokens=count.tokens, upper=count.upper)

    return guess


def truth_row(generation: str, kind: str, method: str, guesses: Sequence[Guess]) -> dict[str, Any]:
    """Errors of one method on one kind of text."""
    errors = sorted(guess.error for guess in guesses)
    bounds = [guess.real <= guess.upper for guess in guesses if guess.upper is not None]
    return {
        "generation": generation,
        "kind": kind,
        "method": method,
        "n": len(guesses),
        "median": percentile(errors, 0.5),
        "p90": percentile(errors, 0.9),
        "p99": percentile(errors, 0.99),
        "within_1_percent": sum(error <= 0.01 for error in errors) / len(errors),
        "exact": sum(guess.tokens == guess.real for guess in guesses) / len(guesses),
        "coverage": sum(bounds) / len(bounds) if bounds else None,
        "coverage_interval": interval(sum(bounds), len(bounds)) if bounds else None,
    }


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value at `share` of the way through, between neighbours in proportion."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def interval(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95% interval of a share (Wilson's)."""
    share, square = hits / n, z * z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = z * math.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return max(0.0, middle - half), min(1.0, middle + half)


# ---- real sessions ---------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Replay:
    """The requests of one session; one estimator per model, which learns as it goes."""

    base: str
    estimators: dict[str, Estimator] = field(default_factory=dict)
    guesses: list[Guess] = field(default_factory=list)
    reply_known: list[bool] = field(default_factory=list)
    """Whether the transcript holds the size of the reply before; a live ledger always does."""
    excluded: int = 0
    unseen: float = 0.0
    """tokens allowed for what the file does not show"""

    def estimator(self, model: str) -> Estimator:
        """The one for this model."""
        return self.estimators.setdefault(model, Estimator.for_model(model, base=self.base))

    def session(self, conversation: ImportedConversation, done: set[str]) -> None:
        """Predict each request that was not seen on another branch, then learn from what it was."""
        calls = {call.id: call for call in requests(conversation)}
        contents = {turn.id: (turn.role, turn.content) for turn in conversation.turns}
        for call in calls.values():
            before = calls.get(call.after or "")
            if call.id in done:
                continue
            done.add(call.id)
            if before is None or call.model is None or before.model != call.model:
                self.excluded += 1
            else:
                self.request(before, call, contents)

    def request(self, before: LoggedRequest, call: LoggedRequest, contents: Mapping[str | None, Any]) -> None:
        """One request: predicted from the one before it and what was appended since."""
        assert call.model is not None
        estimator = self.estimator(call.model)
        said = estimator.measure_message(*contents[before.id])
        added = sum(
            (estimator.measure_message(*contents[turn]) for turn in call.prompt[len(before.prompt) + 1 :]), NOTHING
        )
        usage = Usage.of_prompt(before.usage)
        kept = card(call.model).thinking_kept
        reply = reply_count(usage, estimator.count(said), thinking_kept=kept, open_tools="tool result" in added.parts)
        predicted = Count.exact(usage.prompt) + reply + estimator.count(added)
        real = Usage.of_prompt(call.usage).prompt
        upper = predicted.upper + math.ceil(self.unseen)
        self.guesses.append(Guess(real=real, tokens=predicted.tokens, upper=upper, plain=predicted.upper))
        self.reply_known.append(reply.source == "usage")
        self.unseen = allowance(self.unseen, real=real, bound=predicted.upper, seen=estimator.unseen)
        self.learn(estimator, real - usage.prompt, reply, said, added)

    def learn(self, estimator: Estimator, grown: int, reply: Count, said: Measure, added: Measure) -> None:
        """The difference teaches the appended turns, and the reply too where its size was estimated."""
        lesson, exact = (added, grown - reply.tokens) if reply.source == "usage" else (said + added, grown)
        if exact > 0:
            estimator.correction = estimator.learned(lesson, exact)


def against_transcripts(paths: Sequence[Path], base: str, budgets: Sequence[int]) -> dict[str, Any]:
    """Errors of whole requests, how often the endpoint would be asked, and how often the bound was passed."""
    done: set[str] = set()
    replays: dict[str, Replay] = {}
    for path in paths:
        for conversation in claude_code.parse(path.read_text(encoding="utf-8"), path=path.name, branches="all"):
            replay = replays.setdefault(path.stem, Replay(base=base))
            replay.session(conversation, done)
    guesses = [guess for replay in replays.values() for guess in replay.guesses]
    told = [known for replay in replays.values() for known in replay.reply_known]
    known = [guess for guess, sure in zip(guesses, told, strict=True) if sure]
    return {
        **session_facts(guesses, budgets),
        "base": bases.base("v3", base).name,
        "budgets": [budgets[0], budgets[-1], len(budgets)],
        "coverage_aimed_at": COVERAGE,
        "excluded": sum(replay.excluded for replay in replays.values()),
        "reply_size_in_file": session_facts(known, budgets),
        "sessions": {
            name + (" (tuned on)" if name.startswith(TUNED_ON) else ""): bound_facts(replay.guesses, budgets)
            for name, replay in replays.items()
        },
    }


def session_facts(guesses: Sequence[Guess], budgets: Sequence[int]) -> dict[str, Any]:
    """The agreed figures of a list of requests."""
    errors = sorted(guess.error for guess in guesses)
    return {
        "requests": len(guesses),
        "median": percentile(errors, 0.5) if errors else None,
        "p99": percentile(errors, 0.99) if errors else None,
        "endpoint_calls_per_100": fmean(asked(guesses, budget) for budget in budgets),
        "in_doubt_per_100": fmean(in_doubt(guesses, budget) for budget in budgets),
        "bound_passed": sum(guess.real > (guess.upper or 0) for guess in guesses),
    }


def bound_facts(guesses: Sequence[Guess], budgets: Sequence[int]) -> dict[str, Any]:
    """How one session's bound held after the first requests, without and with the allowance, and how wide it was."""
    later = guesses[LEARNING:]
    passed = sum(guess.real > (guess.upper or 0) for guess in later)
    return {
        "requests": len(guesses),
        "after_the_first": len(later),
        "passed_plain": sum(guess.real > (guess.plain or 0) for guess in later),
        "passed": passed,
        "passed_percent": 100 * passed / len(later) if later else None,
        "width_plain": widths([(guess.plain or 0) / guess.real for guess in guesses]),
        "width": widths([(guess.upper or 0) / guess.real for guess in guesses]),
        "endpoint_calls_per_100": fmean(asked(guesses, budget) for budget in budgets),
    }


def widths(ratios: Sequence[float]) -> list[float | None]:
    """The bound as a multiple of what came: median and p99."""
    ordered = sorted(ratios)
    return [round(percentile(ordered, share), 4) if ordered else None for share in (0.5, 0.99)]


def asked(guesses: Sequence[Guess], budget: int) -> float:
    """Endpoint calls per hundred requests, as `sash.flows.request.exact_count` makes them.

    Asked is where the budget lies between the estimate and its bound; not again for the next request where the doubt
    is a small share of the budget.
    """
    calls, before = 0, False
    for guess in guesses:
        doubtful = _doubtful(guess, budget)
        small = (guess.upper or 0) - guess.tokens <= AT_STAKE * budget
        asks = doubtful and not (before and small)
        calls += asks
        before = doubtful and (asks or before)
    return 100 * calls / len(guesses) if guesses else 0.0


def in_doubt(guesses: Sequence[Guess], budget: int) -> float:
    """Requests per hundred for which the budget lies between the estimate and its upper bound."""
    return 100 * sum(_doubtful(guess, budget) for guess in guesses) / len(guesses) if guesses else 0.0


def _doubtful(guess: Guess, budget: int) -> bool:
    return guess.tokens <= budget < (guess.upper or 0)


# ---- tables ----------------------------------------------------------------------------------------


def truth_table(report: Sequence[Mapping[str, Any]]) -> Table:
    """Relative errors in percent."""
    columns = ("median", "p90", "p99", "within_1_percent", "exact", "coverage")
    table = Table("generation", "kind", "method", "n", *columns, title="relative error of single messages, percent")
    for row in report:
        table.add_row(
            row["generation"], row["kind"], row["method"], str(row["n"]), *(_percent(row[c]) for c in columns)
        )
    return table


def facts_table(report: Mapping[str, Any]) -> Table:
    """One line a fact."""
    table = Table("fact", "value", title="whole requests of recorded sessions, before they were sent")
    for name, value in _flat(report):
        share = name.split(".")[-1] in ("median", "p99")
        table.add_row(
            name, f"{_percent(value)} %" if share else f"{value:.2f}" if isinstance(value, float) else str(value)
        )
    return table


def _flat(report: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in report.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.3f}"


if __name__ == "__main__":
    main()
