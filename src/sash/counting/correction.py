"""What usage taught about one model on one base: recursive least squares with forgetting, as a plain value.

`learn` takes a measure and the exact tokens it turned out to be, and gives the next state. On `ctok` only
the additive constants are learned (frames, tools, results, images): its text counts are right already; on
the other bases the factors of the classes too. Every factor and constant is clamped around its prior,
surprises beyond two standard deviations count the less the larger they are, and what an observation does
not contain is neither updated nor forgotten. Storing the state is somebody else's work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import sqrt
from typing import Any, cast

from sash.counting.bounds import KEPT, Cell
from sash.counting.classes import CLASSES
from sash.counting.constants import UNIT_NAMES, Cost, Unit
from sash.counting.measure import Measure

FORGETTING = 0.995
"""Weight of an observation after the next one: half is forgotten after 140."""
_FACTOR_PRIOR = 0.08
_FACTOR_RANGE = (0.6, 1.7)
_MOST_SPREAD = 1e4
"""Times its first variance that a part's may grow to."""
_SURPRISE = 2.0
UNSEEN = 5_000
"""Tokens beyond twice the estimate that no counting error explains: something else was sent, nothing is learned."""
_NOISE = {"ctok": 0.004, "tiktoken": 0.05, "features": 0.07}
"""How far the base's text counts are usually off, as a share."""
_NOISE_TOKENS = 3.0


Spread = Mapping[str, Mapping[str, float]]
"""A covariance: part -> part -> value, both ways round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What was learned: `values` (part -> factor or constant), their `spread`, and residual `cells` of whole turns."""

    values: Mapping[str, float] = field(default_factory=dict)
    spread: Spread = field(default_factory=dict)
    """Covariance of the parts that lessons held; of all others it is the prior's. What is not there is 0."""
    residuals: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """The latest residuals by cell, oldest first: tokens above the bound ("turn"), share of the answer ("endpoint")."""
    lessons: int = 0

    def as_json(self) -> dict[str, Any]:
        """A plain value for a store; `from_json` reads it back."""
        return {
            "values": dict(self.values),
            "spread": {name: dict(row) for name, row in self.spread.items()},
            "residuals": {name: list(values) for name, values in self.residuals.items()},
            "lessons": self.lessons,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Correction:
        """Read what `as_json` wrote; a state of another shape (an older version's) starts afresh."""
        spread = _spread(value.get("spread", {}))
        if spread is None:
            return cls()
        residuals = {name: tuple(values) for name, values in value.get("residuals", {}).items()}
        return cls(values=dict(value.get("values", {})), spread=spread, residuals=residuals,
                   lessons=value.get("lessons", 0))  # fmt: skip

    def value(self, name: str, prior: float) -> float:
        """The factor of a class or the constant of a unit, as learned so far."""
        return self.values.get(name, prior)

    def cell(self, name: str) -> Cell:
        """The residuals of whole turns ("turn") or of the endpoint ("endpoint") seen so far."""
        return _cell(self.residuals.get(name, ()))

    def learn(self, measure: Measure, exact: int, upper: float, *, base: str, units: Mapping[Unit, Cost]) -> Correction:
        """The state after one clean difference: `measure` turned out to be `exact` tokens, `upper` was its bound.

        `upper` is the bound before anything learned about whole turns, so that their excess can be learned.
        """
        priors = {name: _prior(name, units) for name in dict.fromkeys((*self.spread, *measure.parts))}
        known = {name: self.value(name, prior.tokens) for name, prior in priors.items()}
        estimate = measure.fixed + sum(known[name] * amount for name, amount in measure.parts.items())
        if exact > 2 * estimate + UNSEEN:
            return self
        seen = self.observe("turn", exact - upper)
        active = {name: n for name, n in measure.parts.items() if n and (base != "ctok" or name not in CLASSES)}
        if not active:
            return seen
        noise = (_NOISE_TOKENS + measure.slack + _NOISE[base] * estimate) ** 2
        before = {**self.spread} | {name: {name: priors[name].variance} for name in active if name not in self.spread}
        most = {name: _MOST_SPREAD * priors[name].variance for name in before}
        step, spread = _update(_bounded(before, most), active, exact - estimate, noise)
        learned = {name: priors[name].clamp(known[name] + by) for name, by in step.items() if by}
        return replace(seen, values={**self.values, **learned}, spread=spread, lessons=self.lessons + 1)

    def observe(self, cell: str, residual: float) -> Correction:
        """Remember how far off something was, without learning from it."""
        kept = (*self.residuals.get(cell, ()), round(residual, 6))[-KEPT:]
        return replace(self, residuals={**self.residuals, cell: kept})


@lru_cache(maxsize=8)
def _cell(residuals: tuple[float, ...]) -> Cell:
    """Put in order once for a state: every plan asks for it."""
    return Cell.of(residuals)


_NAMES: tuple[str, ...] = (*CLASSES, *UNIT_NAMES)


def _spread(stored: Any) -> Spread | None:
    """A stored covariance; None for one of parts that are not known here. Older versions wrote all rows as a list."""
    if isinstance(stored, Mapping):
        return {name: dict(row) for name, row in stored.items()} if stored.keys() <= set(_NAMES) else None
    if len(stored) not in (0, len(_NAMES)):
        return None
    rows = zip(_NAMES, stored, strict=False)
    return {name: {other: value for other, value in zip(_NAMES, row, strict=True) if value} for name, row in rows}


@dataclass(frozen=True, slots=True)
class _Prior:
    tokens: float
    deviation: float
    low: float
    high: float

    @property
    def variance(self) -> float:
        return self.deviation**2

    def clamp(self, value: float) -> float:
        return round(min(max(value, self.low), self.high), 4)


def _prior(name: str, units: Mapping[Unit, Cost]) -> _Prior:
    if name in CLASSES:
        return _Prior(1.0, _FACTOR_PRIOR, *_FACTOR_RANGE)
    cost = units[cast("Unit", name)]
    mean, reach = cost.tokens, max(40.0, 4 * cost.spread)
    return _Prior(mean, max(1.0, cost.spread / 2), max(0.0, mean - reach), mean + reach)


def _bounded(spread: Spread, most: Mapping[str, float]) -> Spread:
    """A covariance whose variances are at most these: of parts that always come in one ratio, forgetting widens what
    no lesson tells apart, without end, until the sums drown in rounding."""
    variances = {name: max(0.0, row.get(name, 0.0)) for name, row in spread.items()}
    shrink = {name: sqrt(min(1.0, most[name] / max(variance, 1e-12))) for name, variance in variances.items()}

    def within(value: float, one: str, other: str) -> float:
        bound = sqrt(variances[one] * variances[other])
        return min(max(value, -bound), bound) * (shrink[one] * shrink[other])

    return {one: {other: within(value, one, other) for other, value in row.items()} for one, row in spread.items()}


def _update(
    spread: Spread, active: Mapping[str, float], surprise: float, noise: float
) -> tuple[dict[str, float], Spread]:
    """One step of recursive least squares over the parts that were present: what each moves by, and the covariance."""
    # Forget only what was excited: elsewhere the covariance would grow without end.
    widen = {name: FORGETTING**-0.5 if active.get(name, 0.0) > 0 else 1.0 for name in spread}
    p = {one: {other: value * widen[one] * widen[other] for other, value in row.items()} for one, row in spread.items()}
    gain = {name: sum(row.get(part, 0.0) * amount for part, amount in active.items()) for name, row in p.items()}
    variance = max(0.0, sum(amount * gain[name] for name, amount in active.items())) + noise
    believed = _believed(surprise, _SURPRISE * sqrt(variance)) / variance
    moved = [name for name in gain if gain[name]]
    for one in moved:
        for other in moved:
            p[one][other] = p[one].get(other, 0.0) - gain[one] * gain[other] / variance
    after = {
        one: {other: even for other, value in row.items() if (even := _rounded((value + p[other][one]) / 2))}
        for one, row in p.items()
    }
    return {name: by * believed for name, by in gain.items()}, after


def _rounded(value: float) -> float:
    """To eight places, half to even."""
    return round(value * 1e8) / 1e8


def _believed(surprise: float, limit: float) -> float:
    """A surprise beyond the limit counts the less, the larger it is: something unseen came in."""
    return surprise if abs(surprise) <= limit else limit * limit / surprise
