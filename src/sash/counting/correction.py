"""What usage taught about one model on one base: recursive least squares with forgetting, as a plain value.

`learn` takes a measure and the exact tokens it turned out to be, and gives the next state. On `ctok` only
the additive constants are learned (frames, tools, results, images): its text counts are right already; on
the other bases the factors of the classes too. Every factor and constant is clamped around its prior,
surprises beyond two standard deviations count the less the larger they are, and what an observation does
not contain is neither updated nor forgotten. Storing the state is somebody else's work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import Any

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What was learned: `values` (part -> factor or constant), their `spread`, and residual `cells` of whole turns."""

    values: Mapping[str, float] = field(default_factory=dict)
    spread: tuple[tuple[float, ...], ...] = ()
    """Covariance over `_names`, row by row; empty before the first lesson."""
    residuals: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """The latest residuals by cell, oldest first: tokens above the bound ("turn"), share of the answer ("endpoint")."""
    lessons: int = 0

    def as_json(self) -> dict[str, Any]:
        """A plain value for a store; `from_json` reads it back."""
        return {
            "values": dict(self.values),
            "spread": [list(row) for row in self.spread],
            "residuals": {name: list(values) for name, values in self.residuals.items()},
            "lessons": self.lessons,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Correction:
        """Read what `as_json` wrote; a state of another shape (an older version's) starts afresh."""
        spread = tuple(tuple(row) for row in value.get("spread", ()))
        if len(spread) not in (0, len(_NAMES)):
            return cls()
        residuals = {name: tuple(values) for name, values in value.get("residuals", {}).items()}
        return cls(values=dict(value.get("values", {})), spread=spread, residuals=residuals,
                   lessons=value.get("lessons", 0))  # fmt: skip

    def value(self, name: str, prior: float) -> float:
        """The factor of a class or the constant of a unit, as learned so far."""
        return self.values.get(name, prior)

    def cell(self, name: str) -> Cell:
        """The residuals of whole turns ("turn") or of the endpoint ("endpoint") seen so far."""
        return Cell.of(self.residuals.get(name, ()))

    def learn(self, measure: Measure, exact: int, upper: float, *, base: str, units: Mapping[Unit, Cost]) -> Correction:
        """The state after one clean difference: `measure` turned out to be `exact` tokens, `upper` was its bound.

        `upper` is the bound before anything learned about whole turns, so that their excess can be learned.
        """
        priors = _priors(units)
        known = {name: self.value(name, priors[name].tokens) for name in _NAMES}
        estimate = measure.fixed + sum(known[name] * amount for name, amount in measure.parts.items())
        if exact > 2 * estimate + UNSEEN:
            return self
        seen = self.observe("turn", exact - upper)
        active = {name: n for name, n in measure.parts.items() if n and (base != "ctok" or name not in CLASSES)}
        if not active:
            return seen
        noise = (_NOISE_TOKENS + measure.slack + _NOISE[base] * estimate) ** 2
        most = [_MOST_SPREAD * priors[name].deviation ** 2 for name in _NAMES]
        values, spread = _update(known, _bounded(self.spread or _start(priors), most), active, exact - estimate, noise)
        clamped = {name: priors[name].clamp(value) for name, value in values.items()}
        return replace(seen, values=clamped, spread=spread, lessons=self.lessons + 1)

    def observe(self, cell: str, residual: float) -> Correction:
        """Remember how far off something was, without learning from it."""
        kept = (*self.residuals.get(cell, ()), round(residual, 6))[-KEPT:]
        return replace(self, residuals={**self.residuals, cell: kept})


_NAMES: tuple[str, ...] = (*CLASSES, *UNIT_NAMES)


@dataclass(frozen=True, slots=True)
class _Prior:
    tokens: float
    deviation: float
    low: float
    high: float

    def clamp(self, value: float) -> float:
        return round(min(max(value, self.low), self.high), 4)


def _priors(units: Mapping[Unit, Cost]) -> dict[str, _Prior]:
    low, high = _FACTOR_RANGE
    priors = {name: _Prior(1.0, _FACTOR_PRIOR, low, high) for name in map(str, CLASSES)}
    for name, cost in units.items():
        mean, reach = cost.tokens, max(40.0, 4 * cost.spread)
        priors[name] = _Prior(mean, max(1.0, cost.spread / 2), max(0.0, mean - reach), mean + reach)
    return priors


def _start(priors: Mapping[str, _Prior]) -> tuple[tuple[float, ...], ...]:
    variances = [priors[name].deviation ** 2 for name in _NAMES]
    return tuple(tuple(v if i == j else 0.0 for j in range(len(_NAMES))) for i, v in enumerate(variances))


def _bounded(spread: tuple[tuple[float, ...], ...], most: Sequence[float]) -> Any:
    """A covariance whose variances are at most these: of parts that always come in one ratio, forgetting widens what
    no lesson tells apart, without end, until the sums drown in rounding."""
    np = _load_numpy()
    p = np.array(spread)
    variances = np.clip(p.diagonal(), 0.0, None)
    shrink = np.sqrt(np.minimum(1.0, np.array(most) / np.maximum(variances, 1e-12)))
    bound = np.sqrt(np.outer(variances, variances))
    return np.clip(p, -bound, bound) * np.outer(shrink, shrink)


def _update(
    known: Mapping[str, float],
    spread: Any,
    active: Mapping[str, float],
    surprise: float,
    noise: float,
) -> tuple[dict[str, float], tuple[tuple[float, ...], ...]]:
    """One step of recursive least squares over the parts that were present."""
    np = _load_numpy()
    x = np.array([active.get(name, 0.0) for name in _NAMES])
    # Forget only what was excited: elsewhere the covariance would grow without end.
    widen = np.where(x > 0, FORGETTING**-0.5, 1.0)
    p = spread * widen[:, None] * widen[None, :]
    gain = p @ x
    variance = max(0.0, float(x @ gain)) + noise
    step = gain * (_believed(surprise, _SURPRISE * sqrt(variance)) / variance)
    p = p - np.outer(gain, gain) / variance
    values = {name: known[name] + float(delta) for name, delta in zip(_NAMES, step, strict=True)}
    return values, tuple(map(tuple, np.round((p + p.T) / 2, 8).tolist()))


def _believed(surprise: float, limit: float) -> float:
    """A surprise beyond the limit counts the less, the larger it is: something unseen came in."""
    return surprise if abs(surprise) <= limit else limit * limit / surprise


def _load_numpy() -> Any:
    """The one place that imports numpy here: only when something is learned."""
    import numpy as np  # noqa: PLC0415

    return np
