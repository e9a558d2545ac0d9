"""The economics of a window: what pauses to expect, and what a cut, a mark and a carried token cost.

`PauseModel` learns from one conversation's own pauses and sizes, starting from what others taught. `cache_policies`
prices the two lifetimes a view can be cached with, in closed form: the steady cost per request, the
excess at which a cut pays, what carrying excess tokens or waiting for a cheaper cut will cost. Pure
arithmetic on values; its time does not depend on the conversation's length. Tokens, seconds, dollars.
It knows no exchanges, no API and no clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sash.model.cards import TTL_SECONDS, Price, Ttl
from sash.planning.situation import Gaps

Chances = tuple[float, float, float]
"""of a pause below 5 min, from 5 min to 1 h, beyond; or how often each was seen"""

# Three small models guess the next pause, weighed by their past success: decayed counts (steady traffic),
# counts after a pause of the same kind (bursts), a log-normal with a short memory (drift). The memories
# were chosen by log-loss on synthetic traffic; the ratio to the optimum hardly depends on them.
COUNTS_MEMORY = 0.995
AFTER_MEMORY = 0.985
PACE_MEMORY = 0.8
SHARE = 0.003
"""what each model's weight gets back at every step, so that a change of habits finds it awake"""
SIZE_MEMORY = 0.975
REQUESTS_MEMORY = 0.97
OVER_STEP = 0.03
AFTER_PRIOR = 2.0
PRIOR_CAP = 6.0
"""how many pauses of other conversations the first guess is worth at most"""
MOST_CERTAIN = 0.9995
_FLAT: Chances = (1.2, 0.4, 0.4)
_EVEN: Chances = (1 / 3, 1 / 3, 1 / 3)
_NONE: Chances = (0.0, 0.0, 0.0)
_LN_5M, _LN_1H = math.log(TTL_SECONDS["5m"]), math.log(TTL_SECONDS["1h"])
_ROOT2 = math.sqrt(2.0)


def kind_of(gap: float) -> int:
    """0: below 5 min, 1: below 1 h, 2: beyond. An entry is dead once its lifetime has passed."""
    if gap < TTL_SECONDS["5m"]:
        return 0
    return 1 if gap < TTL_SECONDS["1h"] else 2


class Chance(NamedTuple):
    """How likely the next request finds an entry of one lifetime alive."""

    next: float
    """at the very next pause"""
    stay: float
    """at each later pause, while it lives"""
    cold: float
    """at the pause after one that it did not outlive"""


class PauseModel(NamedTuple):
    """How a conversation has been going. Frozen; `after` gives the next one, `to_json` what to store."""

    at: float | None = None
    """when the last plain user request started, unix seconds"""
    sent: int = 0
    """tokens of the last prompt"""
    last: int = -1
    """kind of the last pause; -1: none yet"""
    counts: Chances = _NONE
    rows: tuple[Chances, Chances, Chances] = (_NONE, _NONE, _NONE)
    """counts after a pause of each kind"""
    pace: float = 4.5
    """running mean of ln(seconds)"""
    spread: float = 4.0
    """running variance of ln(seconds)"""
    trust: Chances = _EVEN
    """weights of the three models: counts, rows, pace"""
    tokens: float = 0.0
    """decayed mean of tokens added per request"""
    weight: float = 0.0
    requests: float = 1.0
    """decayed mean of requests per exchange"""
    over: float = -1.0
    """decayed mean of what the shortest run held beyond `keep`; -1: none was that long yet"""

    def after(self, now: float, *, added: int, sent: int, inside: bool, over: int | None) -> PauseModel:
        """With one more request: `added` new tokens of `sent` in all; `inside` a tool run.

        `over` is what the shortest run holds beyond `keep`, None while the conversation is shorter. A
        clock that jumped back counts as no pause.
        """
        weight = self.weight * SIZE_MEMORY + 1.0
        fields: dict[str, Any] = {"sent": sent, "weight": weight}
        fields["tokens"] = self.tokens + (added - self.tokens) / weight
        if inside:
            return self._replace(requests=self.requests + 1.0 - REQUESTS_MEMORY, **fields)
        fields.update(at=now, requests=max(1.0, self.requests * REQUESTS_MEMORY + 1.0 - REQUESTS_MEMORY))
        if over is not None:
            fields["over"] = over if self.over < 0 else self.over + OVER_STEP * (over - self.over)
        if self.at is not None:
            fields.update(self._paused(max(0.0, now - self.at)))
        return self._replace(**fields)

    def _paused(self, gap: float) -> dict[str, Any]:
        """What one more pause before a plain user request changes, in seconds."""
        kind = kind_of(gap)
        counted, rowed, paced = self._guesses(_FLAT)
        rows = list(self.rows)
        if self.last >= 0:
            rows[self.last] = _counted(self.rows[self.last], kind, AFTER_MEMORY)
        away, step = math.log(max(1.0, gap)) - self.pace, 1.0 - PACE_MEMORY
        return {
            "last": kind,
            "counts": _counted(self.counts, kind, COUNTS_MEMORY),
            "rows": tuple(rows),
            "pace": self.pace + step * away,
            "spread": (1.0 - step) * (self.spread + step * away * away),
            "trust": _reweighed(self.trust, counted[kind], rowed[kind], paced[kind]),
        }

    def outlook(self, prior: Chances) -> dict[Ttl, Chance]:
        """What to expect of the coming pauses, by lifetime. `prior` are counts from other conversations."""
        counted, rowed, paced = self._guesses(prior)
        x, y, z = self._after(0, counted), self._after(1, counted), self._after(2, counted)
        a, b, c = self.counts[0] + 0.5, self.counts[1] + 0.5, self.counts[2] + 0.5
        within = x[0] + x[1], y[0] + y[1], z[0] + z[1]
        return {
            "5m": self._chance(counted[0], paced[0], rowed[0], x[0], (b * y[0] + c * z[0]) / (b + c)),
            "1h": self._chance(
                counted[0] + counted[1],
                paced[0] + paced[1],
                rowed[0] + rowed[1],
                (a * within[0] + b * within[1]) / (a + b),
                within[2],
            ),
        }

    def _chance(self, counted: float, paced: float, next_: float, alive: float, dead: float) -> Chance:
        """Each model's chance, weighed; requests inside a tool run follow at once, so the cache outlives them."""
        a, b, c = self.trust
        inner, base = 1.0 - 1.0 / self.requests, a * counted + c * paced
        outer = 1.0 - inner
        return Chance(
            next=min(MOST_CERTAIN, inner + outer * (base + b * next_)),
            stay=min(MOST_CERTAIN, inner + outer * (base + b * alive)),
            cold=min(MOST_CERTAIN, inner + outer * (base + b * dead)),
        )

    def _guesses(self, prior: Chances) -> tuple[Chances, Chances, Chances]:
        counted = _shares(self.counts, prior)
        return counted, counted if self.last < 0 else self._after(self.last, counted), self._paced()

    def _after(self, kind: int, base: Chances) -> Chances:
        return _shares(self.rows[kind], (base[0] * AFTER_PRIOR, base[1] * AFTER_PRIOR, base[2] * AFTER_PRIOR))

    def _paced(self) -> Chances:
        width = _ROOT2 * (math.sqrt(self.spread) + 0.15)
        short = 0.5 * math.erfc((self.pace - _LN_5M) / width)
        within = 0.5 * math.erfc((self.pace - _LN_1H) / width)
        return 0.94 * short + 0.02, 0.94 * (within - short) + 0.02, 0.94 * (1.0 - within) + 0.02

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self._asdict()

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> PauseModel:
        """What `to_json` gave, also after a trip through JSON text. Unknown keys are left out."""
        fields = {name: stored[name] for name in cls._fields if name in stored}
        for name in ("counts", "trust"):
            if name in fields:
                fields[name] = tuple(fields[name])
        if "rows" in fields:
            fields["rows"] = tuple(map(tuple, fields["rows"]))
        return cls(**fields)


def prior(gaps: Gaps) -> Chances:
    """Other conversations' pauses as a few pseudo-counts on top of a flat guess."""
    if gaps.total <= 0:
        return _FLAT
    worth = min(PRIOR_CAP, gaps.total) / gaps.total
    seen = (gaps.within_5m, gaps.within_1h - gaps.within_5m, gaps.total - gaps.within_1h)
    a, b, c = (0.3 * flat + worth * max(0.0, n) for flat, n in zip(_FLAT, seen, strict=True))
    return a, b, c


def _shares(counts: Chances, prior: Chances) -> Chances:
    a, b, c = counts[0] + prior[0], counts[1] + prior[1], counts[2] + prior[2]
    total = a + b + c
    return a / total, b / total, c / total


def _counted(counts: Chances, kind: int, memory: float) -> Chances:
    a, b, c = counts[0] * memory, counts[1] * memory, counts[2] * memory
    return (a + 1.0, b, c) if kind == 0 else (a, b + 1.0, c) if kind == 1 else (a, b, c + 1.0)


def _reweighed(trust: Chances, counted: float, rowed: float, paced: float) -> Chances:
    a, b, c = trust[0] * counted, trust[1] * rowed, trust[2] * paced
    keep = (1.0 - SHARE) / (a + b + c)
    return a * keep + SHARE / 3, b * keep + SHARE / 3, c * keep + SHARE / 3


class Frame(NamedTuple):
    """What cache policies are priced for. Sizes in tokens, prices in dollars per token."""

    preamble: float
    usual: float
    """the view just after a cut, as a rule"""
    lucky: float
    """the same at a well-chosen moment: whole exchanges hold now more, now hardly more than `keep`"""
    growth: float
    """added per request"""
    room: float
    """excess that the limit leaves"""
    fresh: float
    read: float
    write: Mapping[Ttl, float]
    per_cut: float = 0.0
    """fixed dollars of a cut (a summary)"""


def rates(price: Price) -> tuple[float, float, dict[Ttl, float]]:
    """Dollars per token: fresh, read, and written by lifetime."""
    return price.fresh / 1e6, price.read / 1e6, {"5m": price.write_5m / 1e6, "1h": price.write_1h / 1e6}


class CachePolicy(NamedTuple):
    """Holding a view in the cache with one lifetime, and what that costs.

    An excess of x tokens beyond the usual view costs G(x) from the next request on, where
    (1 - q) G = c x + q t (G' - G'(0)), G(x*) = the price of a cut, G'(x*) = 0: q the chance that it stays
    alive, c the price of carrying a token, t the growth. Hence G(x) = a (x - b (e^(k x) - 1)) with
    a = c / (1 - q), k = (1 - q) / (q t), b = e^(-k x*) / k. For q = 1 it is the order quantity's
    x* = sqrt(2 (w - r) L t / c).
    """

    ttl: Ttl
    next: float
    stay: float
    carry: float
    """dollars for carrying a token, per request"""
    anew: float
    """dollars per token written at a cut instead of read; the newest request's are written either way"""
    growth: float
    usual: float
    per_cut: float
    cut_at: float
    """x*: the excess at which a cut pays although the cache is warm"""
    slope: float
    """a"""
    rate: float
    """k"""
    bend: float
    """b"""
    steady: float
    """dollars per request if the view is always held this way"""
    ahead: float = 0.0
    """dollars after a start at the usual size until the next one, less the steady cost of the cheapest policy"""

    def carried(self, excess: float) -> float:
        """Dollars from the next request on, if it comes in time, for `excess` tokens more than usual."""
        if excess <= 0.0:
            return self.slope * (1.0 - self.bend * self.rate) * excess
        x = min(excess, self.cut_at)
        return self.slope * (x - self.bend * math.expm1(self.rate * x)) if self.bend else self.slope * x

    def waiting(self, excess: float, cuts: Iterable[tuple[float, float]]) -> float:
        """The same if the cut comes at the best of `cuts`: (requests from now, tokens of the shortest run then)."""
        best, q = math.inf, self.stay
        for later, size in cuts:
            alive = q ** (later - 1.0)
            cut = (
                self.anew * (size - self.growth)
                + self.per_cut
                + self.carried(size - self.usual)
                - self.carried(later * self.growth)
            )
            dollars = (1.0 - alive) / (1.0 - q) * self.carry * excess + alive * cut
            best = min(best, dollars)
        return best


def cache_policies(frame: Frame, outlook: Mapping[Ttl, Chance]) -> tuple[CachePolicy, CachePolicy]:
    """Both lifetimes, priced."""
    short, long = _cycle("5m", frame, outlook["5m"]), _cycle("1h", frame, outlook["1h"])
    never = frame.fresh * (frame.preamble + frame.usual)
    steady = min(never, short.steady, long.steady)
    return _cache_policy(short, frame, steady), _cache_policy(long, frame, steady)


class _Cycle(NamedTuple):
    """The life of a view under one lifetime: from a start to the cut that pays, or to the cache's end."""

    ttl: Ttl
    chance: Chance
    carry: float
    stake: float
    slope: float
    rate: float
    wanted: float
    """the excess at which a cut pays"""
    cut_at: float
    """the same within the limit"""
    steady: float


def _cycle(ttl: Ttl, frame: Frame, chance: Chance) -> _Cycle:
    q, carry = chance.stay, max(1e-12, frame.read)
    stake = (frame.write[ttl] - frame.read) * max(1.0, frame.lucky - frame.growth) + frame.per_cut
    slope, rate = carry / (1.0 - q), (1.0 - q) / (q * frame.growth)
    wanted = _cut_at(stake / slope, rate)
    cut_at = min(wanted, max(1.0, frame.room))
    steady = _steady(ttl, frame, chance, carry, cut_at)
    return _Cycle(ttl, chance, carry, stake, slope, rate, wanted, cut_at, steady)


def _cache_policy(cycle: _Cycle, frame: Frame, steady: float) -> CachePolicy:
    ttl, chance = cycle.ttl, cycle.chance
    return CachePolicy(
        ttl=ttl,
        next=chance.next,
        stay=chance.stay,
        carry=cycle.carry,
        anew=frame.write[ttl] - frame.read,
        growth=frame.growth,
        usual=frame.usual,
        per_cut=frame.per_cut,
        cut_at=cycle.cut_at,
        slope=cycle.slope,
        rate=cycle.rate,
        bend=_bend(cycle),
        steady=cycle.steady,
        ahead=chance.next * _run(ttl, frame, cycle.carry, chance.stay, cycle.cut_at, steady),
    )


def order_point(stake: float, *, carry: float, growth: float, left: float) -> float:
    """The tokens of excess from which on it pays to be rid of them for `stake` dollars.

    They cost `carry` dollars a token with each of the `left` requests to be expected, which add `growth` tokens each.
    """
    stay = max(1e-6, left / (left + 1.0))
    rest = 1.0 - stay
    return _cut_at(stake * rest / carry, rest / (stay * growth))


def _cut_at(goal: float, rate: float) -> float:
    """Solve x - (1 - e^(-k x)) / k = goal: a close guess from the expansion, then Newton."""
    third = goal * rate / 3.0
    x = (third + math.sqrt(third * third + 2.0 * goal * rate)) / rate
    for _ in range(3):
        gone = -math.expm1(-rate * x)
        x -= (x - gone / rate - goal) / gone
    return x


def _bend(cycle: _Cycle) -> float:
    """b, so that carrying costs a cut at x*; 0 where the cache is sure to die long before."""
    x, slope, rate = cycle.cut_at, cycle.slope, cycle.rate
    if rate * x > 300.0:
        return 0.0
    if x < cycle.wanted:  # the limit forces the cut earlier than it would pay
        return (slope * x - cycle.stake) / (slope * math.expm1(rate * x))
    return math.exp(-rate * x) / rate


def _run(ttl: Ttl, frame: Frame, carry: float, q: float, cut_at: float, less: float) -> float:
    """Dollars of the requests between a start and the cut, each weighed by its chance; each less `less`."""
    n = cut_at / frame.growth
    power, rest = math.pow(q, n), 1.0 - q
    total = (1.0 - power) / rest
    ramp = (q * total - n * power) / rest
    each = frame.read * (frame.preamble + frame.usual) + frame.write[ttl] * frame.growth - less
    return each * total + carry * frame.growth * ramp


def _steady(ttl: Ttl, frame: Frame, chance: Chance, carry: float, cut_at: float) -> float:
    """Dollars per request over the cycles that end when the cache dies, or with a cut at `cut_at`."""
    alive = math.pow(chance.stay, cut_at / frame.growth)
    run, length = _run(ttl, frame, carry, chance.stay, cut_at, 0.0), (1.0 - alive) / (1.0 - chance.stay)
    cold = frame.write[ttl] * (frame.preamble + frame.usual) + chance.cold * run
    warm = frame.write[ttl] * frame.usual + frame.read * frame.preamble + frame.per_cut + chance.stay * run
    # how often a cycle begins with a dead cache, and how often with a cut while it lives
    colds, warms = 1.0 - chance.stay * alive, chance.cold * alive
    requests = colds * (1.0 + chance.cold * length) + warms * (1.0 + chance.stay * length)
    return (colds * cold + warms * warm) / requests
