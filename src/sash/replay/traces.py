"""Traces: when requests came and how many tokens each added, without any text.

A trace is a tuple of `TraceCall`s, one per API request; times are seconds from request start to request
start, sizes are the tokens a request adds to the prompt (the reply before it included). Of tool results
among them it tells size, tool, and which later replies use something that nothing but the result said. Readers take
JSON lines, a list of times and sizes, or an imported conversation; `regimes` makes synthetic ones from
a seed. It knows no prices and no strategy.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from sash.errors import InvalidImport, InvalidOption

HOUR = 3600.0
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class TraceResult:
    """A tool result among what a request adds: its tokens, and where it is used."""

    tokens: int
    tool: str = ""
    needed: tuple[int, ...] = ()
    """indices of the requests whose replies use what only this result told; a request that is not in view of it has to
    fetch it again"""
    arguments: int = 0
    """tokens of its call's arguments, which the same request adds, and which may be cleared with it"""

    def __post_init__(self) -> None:
        problem = _problem_of_result(self.tokens, self.tool, self.needed, self.arguments)
        if problem:
            raise InvalidOption(problem, option="result", value=(self.tokens, self.tool, self.needed, self.arguments))


@dataclass(frozen=True, slots=True)
class TraceCall:
    """One request: seconds since the previous request's start, tokens it adds, whether an exchange begins here."""

    gap_s: float
    tokens: int
    exchange: bool = True
    results: tuple[TraceResult, ...] = ()
    """the tool results in it, part of its tokens"""

    def __post_init__(self) -> None:
        problem = _problem(self.gap_s, self.tokens, self.exchange)
        held = sum(result.tokens + result.arguments for result in self.results)
        if not problem and held > self.tokens:
            problem = f"its results hold {held} tokens and the request adds {self.tokens}: results are part of it"
        if problem:
            raise InvalidOption(problem, option="call", value=(self.gap_s, self.tokens, self.exchange))


def in_proportion(results: Sequence[TraceResult], tokens: int) -> tuple[TraceResult, ...]:
    """The results, made smaller where they come to more than the `tokens` of their request; those of none are gone."""
    share = min(1.0, tokens / max(1, sum(result.tokens + result.arguments for result in results)))
    return tuple(
        replace(result, tokens=int(result.tokens * share), arguments=int(result.arguments * share))
        for result in results
        if result.tokens * share >= 1
    )


def _problem_of_result(tokens: object, tool: object, needed: object, arguments: object) -> str:
    """What is wrong with a result, with the remedy; "" if nothing is."""
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 1:
        return f"a result's tokens is {tokens!r}: give a whole number from 1 on"
    if not isinstance(tool, str):
        return f"a result's tool is {tool!r}: give its name"
    if not isinstance(needed, tuple) or not all(isinstance(i, int) and not isinstance(i, bool) for i in needed):
        return f"a result's needed is {needed!r}: give the indices of requests, counted from 0"
    if not isinstance(arguments, int) or isinstance(arguments, bool) or arguments < 0:
        return f"a result's arguments is {arguments!r}: give a whole number of tokens, from 0 on"
    return ""


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _problem(gap_s: object, tokens: object, exchange: object) -> str:
    """What is wrong with a call, with the remedy; "" if nothing is."""
    if not _number(gap_s):
        return f"gap_s is {gap_s!r}, not a number: give the seconds since the previous request's start"
    if gap_s < 0:  # type: ignore[operator]
        return f"gap_s is {gap_s!r}: time runs backwards; sort the requests by their start, or give 0"
    if not isinstance(tokens, int) or isinstance(tokens, bool):
        return f"tokens is {tokens!r}, not a whole number: give the tokens that this request adds to the prompt"
    if tokens < 1:
        return f"tokens is {tokens}: every request adds at least one token; leave the line out or count it again"
    if not isinstance(exchange, bool):
        return f"exchange is {exchange!r}: use true (a plain user turn) or false (inside a tool run)"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memoryless:
    """The law of traffic whose every pause is drawn anew, and whose exchanges are all of one size."""

    tokens: int
    """of each exchange"""
    pauses: tuple[float, ...]
    """seconds"""
    chances: tuple[float, ...]
    """of each pause; their sum is 1"""

    def calls(self, dice: random.Random) -> Iterator[TraceCall]:
        """Such traffic, without end."""
        while True:
            yield TraceCall(dice.choices(self.pauses, self.chances)[0], self.tokens)


@dataclass(frozen=True)
class Trace:
    """A named run of calls. The first call opens an exchange whatever it says, as nothing stands before it."""

    name: str
    calls: tuple[TraceCall, ...]
    law: Memoryless | None = None
    """what it was drawn from, where that is known"""

    def __post_init__(self) -> None:
        if not self.calls:
            raise InvalidOption(f"the trace {self.name!r} holds no request", option="calls", value=())
        for i, call in enumerate(self.calls):
            wrong = [at for result in call.results for at in result.needed if not i <= at < len(self.calls)]
            if wrong:
                last = len(self.calls) - 1
                problem = f"a result of request {i} is needed at request {wrong[0]}: give one from {i} to {last}"
                raise InvalidOption(problem, option="needed", value=wrong[0])

    @cached_property
    def times(self) -> tuple[float, ...]:
        """When each request starts, in seconds after the first."""
        return tuple(accumulate((call.gap_s for call in self.calls[1:]), initial=0.0))

    @cached_property
    def opens(self) -> tuple[int, ...]:
        """Indices of the calls at which an exchange begins."""
        return tuple(i for i, call in enumerate(self.calls) if call.exchange or i == 0)

    @property
    def tokens(self) -> int:
        """Tokens of the whole conversation."""
        return sum(call.tokens for call in self.calls)

    def oversized(self, budget: int) -> tuple[int, ...]:
        """Indices of the exchanges that alone pass `budget` tokens."""
        ends = (*self.opens[1:], len(self.calls))
        sizes = (sum(call.tokens for call in self.calls[a:b]) for a, b in zip(self.opens, ends, strict=True))
        return tuple(i for i, size in enumerate(sizes) if size > budget)

    def dumps(self) -> str:
        """The trace as JSON lines."""
        return "".join(_line(call) for call in self.calls)


def _line(call: TraceCall) -> str:
    fields: dict[str, Any] = {"gap_s": call.gap_s, "tokens": call.tokens}
    if not call.exchange:
        fields["exchange"] = False
    if call.results:
        fields["results"] = [asdict(result) for result in call.results]
    return json.dumps(fields) + "\n"


def loads(text: str, *, name: str = "trace") -> Trace:
    """Read JSON lines. Raises InvalidImport, naming the line and the remedy."""
    calls = tuple(_call(line, number, name) for number, line in enumerate(text.splitlines(), 1) if line.strip())
    if not calls:
        raise InvalidImport(f"{name}: no request in it; give one JSON object a line", path=name, line=0)
    try:
        return Trace(name, calls)
    except InvalidOption as error:
        raise InvalidImport(f"{name}: {error}", path=name, line=0) from error


def load(path: str | Path) -> Trace:
    """Read a bare trace from a file. Raises InvalidImport."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidImport(f"{path}: cannot be read as UTF-8 text ({error})", path=str(path), line=0) from error
    return loads(text, name=path.stem)


def _call(line: str, number: int, name: str) -> TraceCall:
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise _bad(name, number, f"not JSON ({error}); write one object a line") from error
    if not isinstance(fields, dict):
        raise _bad(name, number, 'not an object; write {"gap_s": 41.0, "tokens": 350}')
    missing = [key for key in ("gap_s", "tokens") if key not in fields]
    if missing:
        raise _bad(name, number, f"{' and '.join(missing)} missing; every line has gap_s and tokens")
    exchange = fields.get("exchange", True)
    problem = _problem(fields["gap_s"], fields["tokens"], exchange)
    if problem:
        raise _bad(name, number, problem)
    try:
        return TraceCall(float(fields["gap_s"]), fields["tokens"], exchange, _results(fields.get("results", [])))
    except InvalidOption as error:
        raise _bad(name, number, str(error)) from error


def _results(given: object) -> tuple[TraceResult, ...]:
    """The results of a line. Raises InvalidOption."""
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        problem = f'results is {given!r:.60}: give a list of objects such as {{"tokens": 900, "needed": [4]}}'
        raise InvalidOption(problem, option="results", value=given)
    return tuple(
        TraceResult(one.get("tokens"), one.get("tool", ""), _indices(one.get("needed", [])), one.get("arguments", 0))
        for one in given
    )


def _indices(needed: Any) -> Any:
    return tuple(needed) if isinstance(needed, list) else needed


def _bad(name: str, number: int, what: str) -> InvalidImport:
    return InvalidImport(f"{name}, line {number}: {what}", path=name, line=number)


def from_times(rows: Iterable[tuple[float, int, bool]], *, name: str) -> Trace:
    """A trace from (unix seconds, tokens added, exchange begins). Raises InvalidImport if times run backwards."""
    rows = list(rows)
    for number, (before, after) in enumerate(pairwise(rows), 2):
        if after[0] < before[0]:
            what = f"its time {after[0]} lies before the request above it ({before[0]}); sort the requests by time"
            raise _bad(name, number, what)
    gaps = [0.0, *(after[0] - before[0] for before, after in pairwise(rows))]
    calls = []
    for number, (gap, (_, tokens, exchange)) in enumerate(zip(gaps, rows, strict=True), 1):
        problem = _problem(gap, tokens, exchange)
        if problem:
            raise _bad(name, number, problem)
        calls.append(TraceCall(gap, tokens, exchange))
    return Trace(name, tuple(calls))


# Synthetic traffic. Each regime draws its own parameters from the seed, so that another seed is another
# user, not only another run of dice.


def regimes() -> tuple[str, ...]:
    """The names that `synthetic` knows."""
    return tuple(_REGIMES)


def synthetic(regime: str, seed: int, *, exchanges: int = 600) -> Trace:
    """Made-up traffic: equal arguments give the equal trace. Raises InvalidOption for an unknown regime."""
    if regime not in _REGIMES:
        raise InvalidOption(
            f"unknown regime {regime!r}; known are {', '.join(_REGIMES)}", option="regime", value=regime
        )
    if exchanges < 1:
        raise InvalidOption(f"exchanges={exchanges}; use at least 1", option="exchanges", value=exchanges)
    dice = random.Random(f"{regime}/{seed}")
    calls = _REGIMES[regime](dice)
    taken: list[TraceCall] = []
    opened = 0
    for call in calls:
        opened += call.exchange
        if opened > exchanges:
            break
        taken.append(call)
    law = _law(random.Random(f"{regime}/{seed}")) if regime == "memoryless" else None
    return Trace(f"{regime}/{seed}", tuple(_with_uses(taken, random.Random(f"{regime}/{seed}/uses"))), law)


def _with_uses(calls: Sequence[TraceCall], dice: random.Random) -> Iterator[TraceCall]:
    """The calls, their results used by now and then a reply: at once as a rule, much later seldom."""
    for i, call in enumerate(calls):
        later = [i + 1 + int(dice.expovariate(1 / 3)), i + 1 + int(dice.expovariate(1 / 40))]
        used = [at for at, chance in zip(later, (0.5, 0.08), strict=True) if dice.random() < chance and at < len(calls)]
        needed = tuple(sorted(set(used)))
        yield replace(call, results=tuple(replace(result, needed=needed) for result in call.results))


def _sizes(dice: random.Random, *, spread: float = 0.6) -> Callable[[], int]:
    """A source of exchange sizes: log-normal around this user's own median."""
    median = math.exp(dice.uniform(math.log(150), math.log(900)))
    return lambda: max(8, min(20_000, round(dice.lognormvariate(math.log(median), spread))))


def _around(dice: random.Random, median: float, spread: float) -> float:
    return round(dice.lognormvariate(math.log(median), spread), 2)


def _between(dice: random.Random, low: float, high: float) -> float:
    """Log-uniform."""
    return math.exp(dice.uniform(math.log(low), math.log(high)))


def _chatty(dice: random.Random) -> Iterator[TraceCall]:
    size, median, spread = _sizes(dice), _between(dice, 20, 110), dice.uniform(0.5, 0.9)
    while True:
        yield TraceCall(_around(dice, median, spread), size())


def _fast(dice: random.Random) -> Iterator[TraceCall]:
    size, median = _sizes(dice, spread=0.4), _between(dice, 5, 25)
    while True:
        yield TraceCall(_around(dice, median, 0.5), size())


def _mixed(dice: random.Random) -> Iterator[TraceCall]:
    size, pause, night = _sizes(dice), dice.uniform(0.08, 0.35), dice.uniform(0.01, 0.08)
    while True:
        roll = dice.random()
        if roll < night:
            gap = _between(dice, HOUR, DAY)
        elif roll < night + pause:
            gap = _between(dice, 300, HOUR)
        else:
            gap = _around(dice, 60, 0.7)
        yield TraceCall(round(gap, 2), size())


def _slow(dice: random.Random) -> Iterator[TraceCall]:
    size, median, spread = _sizes(dice), _between(dice, 15 * 60, 3 * HOUR), dice.uniform(0.7, 1.3)
    while True:
        yield TraceCall(_around(dice, median, spread), size())


def _office(dice: random.Random) -> Iterator[TraceCall]:
    """Nine to five with a lunch break, evenings and weekends off."""
    size, median, spread = _sizes(dice), _between(dice, 60, 420), dice.uniform(0.6, 1.0)
    clock = before = 9 * HOUR
    while True:
        clock += _around(dice, median, spread)
        clock = _working(dice, clock)
        yield TraceCall(round(clock - before, 2), size())
        before = clock


def _working(dice: random.Random, clock: float) -> float:
    """The next moment of work from `clock` on; the clock starts on a Monday at midnight."""
    day, hour = divmod(clock, DAY)
    if hour > 17 * HOUR:
        day, hour = day + 1, 9 * HOUR + dice.uniform(0, HOUR)
    elif 12 * HOUR < hour < 13 * HOUR:
        hour = 13 * HOUR + dice.uniform(0, 900)
    while day % 7 > 4:
        day += 1
    return day * DAY + hour


def _bursty(dice: random.Random) -> Iterator[TraceCall]:
    size, length, pause = _sizes(dice), _between(dice, 3, 25), _between(dice, 20 * 60, 10 * HOUR)
    while True:
        yield TraceCall(_around(dice, pause, 0.8), size())
        while dice.random() > 1 / length:
            yield TraceCall(_around(dice, 45, 0.6), size())


def _drifting(dice: random.Random) -> Iterator[TraceCall]:
    """Pace and sizes change for good, now smoothly and now at once."""
    while True:
        stay, size = round(_between(dice, 40, 160)), _sizes(dice)
        pace, drift = _between(dice, 20, 2 * HOUR), dice.uniform(-0.02, 0.02)
        for step in range(stay):
            yield TraceCall(_around(dice, pace * math.exp(drift * step), 0.7), size())


def _heavy(dice: random.Random) -> Iterator[TraceCall]:
    """Pareto gaps and sizes: no typical pause, no typical length."""
    shape, least, bulk, small = (
        dice.uniform(0.6, 1.1),
        _between(dice, 8, 60),
        dice.uniform(1.1, 1.8),
        _between(dice, 60, 250),
    )
    while True:
        gap = min(7 * DAY, least * dice.paretovariate(shape))
        yield TraceCall(round(gap, 2), min(12_000, round(small * dice.paretovariate(bulk))))


def _tools(dice: random.Random) -> Iterator[TraceCall]:
    """An agent: each exchange is a run of tool calls, a few seconds apart."""
    user, result = _sizes(dice, spread=0.5), _sizes(dice, spread=0.9)
    length, median = _between(dice, 2, 8), _between(dice, 60, 900)
    while True:
        yield TraceCall(_around(dice, median, 0.9), user())
        while dice.random() > 1 / length:
            gap, tokens = _around(dice, 12, 0.8), result()
            told = TraceResult(max(1, tokens * 4 // 5), "read", arguments=tokens // 20)
            yield TraceCall(gap, tokens, exchange=False, results=(told,))


def _law(dice: random.Random) -> Memoryless:
    """Chances of a pause below 5 min, below 1 h and beyond."""
    shares = [dice.random() + 0.02 for _ in range(3)]
    chances = tuple(share / sum(shares) for share in shares)
    return Memoryless(tokens=dice.randrange(200, 900, 50), pauses=(60.0, 1_200.0, 20_000.0), chances=chances)


def _memoryless(dice: random.Random) -> Iterator[TraceCall]:
    """What the past says nothing about: the best policy without foresight can be told (`sash.replay.online`)."""
    return _law(dice).calls(dice)


_REGIMES: Mapping[str, Callable[[random.Random], Iterator[TraceCall]]] = {
    "fast": _fast,
    "chatty": _chatty,
    "office": _office,
    "mixed": _mixed,
    "slow": _slow,
    "bursty": _bursty,
    "drifting": _drifting,
    "heavy": _heavy,
    "tools": _tools,
    "memoryless": _memoryless,
}


def many(names: Sequence[str], seeds: Iterable[int], *, exchanges: int = 600) -> list[Trace]:
    """Every regime of `names` with every seed."""
    return [synthetic(name, seed, exchanges=exchanges) for seed in seeds for name in names]
