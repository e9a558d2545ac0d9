"""A conversation's requests as a chart: prompt tokens by how they were billed, what was predicted, cuts, dollars.

Numbers for a template, which draws them as SVG.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sash.model.epochs import Request
from sash.planning.explain import sentence

WIDE, HIGH, MONEY = 400.0, 130.0, 46.0
"""The plot of tokens, and the height of that of dollars below it."""
WIDEST = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One request: heights in the chart's own units."""

    request: Request
    x: float
    width: float
    read: float
    write: float
    fresh: float
    expected: float
    billed: float
    predicted: float | None
    told: str
    cut: str
    """why old turns left with this request; "" where none did"""

    @property
    def height(self) -> float:
        """All of its prompt."""
        return self.read + self.write + self.fresh


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The whole of it."""

    bars: tuple[Bar, ...]
    most_tokens: int
    most_dollars: float


def chart(requests: Sequence[Request]) -> Chart:
    """The chart of requests, given newest first; drawn oldest first."""
    shown = list(reversed(requests))
    most = max((max(one.usage.prompt if one.usage else 0, one.expected.prompt) for one in shown), default=0)
    dearest = max((max(one.cost or 0.0, one.expected.dollars or 0.0) for one in shown), default=0.0)
    step = min(WIDEST, WIDE / max(1, len(shown)))
    bars = [_bar(one, at * step, step, HIGH / max(1, most), MONEY / (dearest or 1.0)) for at, one in enumerate(shown)]
    return Chart(bars=tuple(bars), most_tokens=most, most_dollars=dearest)


def _bar(request: Request, x: float, step: float, per_token: float, per_dollar: float) -> Bar:
    used = request.usage
    read, write, fresh = (used.read, used.write, used.fresh) if used else (0, 0, 0)
    dollars = request.expected.dollars
    return Bar(
        request=request,
        x=round(x, 2),
        width=round(step * 0.8, 2),
        read=round(read * per_token, 2),
        write=round(write * per_token, 2),
        fresh=round(fresh * per_token, 2),
        expected=round(request.expected.prompt * per_token, 2),
        billed=round((request.cost or 0.0) * per_dollar, 2),
        predicted=None if dollars is None else round(dollars * per_dollar, 2),
        told=told(request),
        cut=cut_reason(request),
    )


def cut_reason(request: Request) -> str:
    """Why a new window began with this request; "" where none did, or it is the first."""
    why = request.why
    return sentence(str(why.get("reason", ""))) if why.get("cut") and why.get("rule") != "first" else ""


def told(request: Request) -> str:
    """A request in a few words."""
    used = request.usage
    billed = f"{used.prompt:,} prompt tokens, {used.cached_share:.0%} from the cache" if used else request.state
    cost = "" if request.cost is None else f", ${request.cost:.6f}"
    cut = cut_reason(request)
    return (
        f"Request {request.number}: {billed}{cost}; predicted {request.expected.prompt:,}"
        f"{f'. A new window began: {cut}' if cut else ''}"
    )
