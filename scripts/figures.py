"""Draw the figures of the documentation into docs/images: `python scripts/figures.py` (or `make figures`).

What they show is computed by the library: replays of a trace, the formula of the economics, and where the planner
solves it. The diagram of one send is plain SVG.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from sash import Economic, SlidingWindow, SteppedWindow, card
from sash.planning.economics import CachePolicy, Chance, Frame, cache_policies, rates
from sash.planning.situation import Marks, Strategy
from sash.replay import Terms, run, synthetic

IMAGES = Path(__file__).parents[1] / "docs" / "images"
MODEL = "claude-sonnet-5-5"
KEPT, GROWTH, PREAMBLE = 8_000, 300, 2_000
CHANCES = (0.9, 0.97, 0.995)
COLORS = ("#c62828", "#ef6c00", "#1565c0")
STRATEGIES: tuple[tuple[str, Strategy], ...] = (
    ("a window that slides at every turn", SlidingWindow(tokens=KEPT)),
    ("two fixed watermarks", SteppedWindow(keep=KEPT, high=2 * KEPT)),
    ("Economic(), the default", Economic()),
)


def cost_of_steps(n: int, q: float, *, kept: int = KEPT, growth: int = GROWTH, per_cut: float = 0.0) -> float:
    """C(n): dollars per request where every n-th one cuts, and each finds the cache alive with chance q."""
    _, read, write = rates(card(MODEL).prices[0])
    alive = [q**k for k in range(n)]
    carried = sum(chance * (kept + k * growth) for k, chance in enumerate(alive))
    return ((write["5m"] - read) * kept + per_cut + read * carried) / sum(alive) + write["5m"] * growth


def policy(q: float, *, kept: int = KEPT, growth: int = GROWTH) -> CachePolicy:
    """What the planner makes of the same: its `cut_at` is the excess in tokens at which it cuts."""
    fresh, read, write = rates(card(MODEL).prices[0])
    sizes = {"preamble": PREAMBLE, "usual": kept, "lucky": kept, "growth": growth, "room": 10**9}
    frame = Frame(fresh=fresh, read=read, write=write, **sizes)
    chance = Chance(next=q, stay=q, cold=q)
    return cache_policies(frame, {"5m": chance, "1h": chance})[0]


def draw_steps(plt: Any) -> Any:
    """Dollars per request over the requests between two cuts, and where the planner cuts."""
    figure, axes = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
    steps = range(1, 121)
    for q, color in zip(CHANCES, COLORS, strict=True):
        axes.plot(steps, [1_000 * cost_of_steps(n, q) for n in steps], color=color, label=f"cache alive with {q:.1%}")
        best = policy(q).cut_at / GROWTH
        axes.plot([best], [1_000 * cost_of_steps(round(best), q)], "o", color=color)
    axes.set(xlabel="requests between two cuts", ylabel="dollars per 1,000 requests", ylim=(0, 24))
    axes.set_title(f"{MODEL}: {KEPT:,} tokens kept, {GROWTH} new with each request. Points: where the planner cuts")
    axes.legend()
    return figure


def draw_windows(plt: Any) -> Any:
    """How three windows move over the same talk, and what they have cost by then."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(7.5, 5.6), sharex=True, layout="constrained")
    terms = Terms(card=card(MODEL), keep=KEPT, budget=4 * KEPT, preamble=PREAMBLE, marks=Marks(tail="5m"))
    trace = synthetic("fast", seed=3, exchanges=260)
    for (label, strategy), color in zip(STRATEGIES, COLORS, strict=True):
        points = run(trace, strategy, terms, points=True).points
        above.plot([point.prompt for point in points], color=color, label=label)
        below.plot([point.dollars for point in points], color=color, label=label)
    above.set(ylabel="tokens of the prompt", ylim=(0, None))
    below.set(xlabel="request", ylabel="dollars so far", ylim=(0, None))
    below.legend()
    return figure


Arrow = tuple[int, int, str, str]
"""From which lane to which, what it says, and what it says small below."""

LANES = ("your program", "flow", "planner", "record", "Claude")
ARROWS: tuple[Arrow, ...] = (
    (0, 1, 'send("My order 1138 ...")', ""),
    (1, 3, "a place in line; the window", "transaction 1: leases.enter, windows.read"),
    (1, 3, "what answers the question", "with recall: index.match, read"),
    (1, 2, "sizes, prices, cache: what now?", "pure: no I/O, no clock, no chance"),
    (2, 1, "the plan: stay or cut, markers, why", "every body passes the API's rules"),
    (1, 4, "count_tokens", "only where the budget lies within the bound"),
    (1, 3, "question, view, request", "transaction 2: requests.begin, before anything is sent"),
    (1, 4, "the request", "middleware: limits, breaker, retries"),
    (4, 1, "the reply, with usage", ""),
    (1, 3, "reply, usage, cost", "transaction 3: requests.finish; the place is given up"),
    (1, 0, "Reply: text, cost, plan", ""),
)
LEFT, APART, TOP, STEP = 90, 170, 76, 46


def one_send() -> str:
    """One send from question to reply, as an SVG."""
    width, height = 2 * LEFT + APART * (len(LANES) - 1), TOP + STEP * len(ARROWS) + 20
    return "\n".join([*_head(width, height), *_lanes(height), *_arrows(ARROWS), "</svg>", ""])


def _head(width: int, height: int) -> Iterator[str]:
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">'
    yield "<title>One send, step by step</title>"
    yield '<defs><marker id="tip" markerWidth="9" markerHeight="8" refX="9" refY="4" orient="auto">'
    yield '<path d="M0,0 L9,4 L0,8 z" fill="#37474f"/></marker></defs>'
    yield f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>'


def _lanes(height: int) -> Iterator[str]:
    for n, name in enumerate(LANES):
        x = LEFT + n * APART
        yield f'<rect x="{x - 62}" y="16" width="124" height="30" rx="5" fill="#546e7a"/>'
        yield f'<text x="{x}" y="36" font-size="14" fill="#ffffff" text-anchor="middle">{escape(name)}</text>'
        yield f'<line x1="{x}" y1="46" x2="{x}" y2="{height - 12}" stroke="#b0bec5" stroke-dasharray="3 4"/>'


def _arrows(arrows: Sequence[Arrow]) -> Iterator[str]:
    for n, (start, end, said, small) in enumerate(arrows):
        y, x1, x2 = TOP + n * STEP + 12, LEFT + start * APART, LEFT + end * APART
        at = min(x1, x2) + 8
        yield f'<line x1="{x1}" y1="{y}" x2="{x2}" y2="{y}" stroke="#37474f" marker-end="url(#tip)"/>'
        yield f'<text x="{at}" y="{y - 6}" font-size="13" fill="#263238">{n + 1}. {escape(said)}</text>'
        yield f'<text x="{at}" y="{y + 14}" font-size="11" fill="#607d8b">{escape(small)}</text>'


def main() -> None:
    """Draw them all."""
    import matplotlib as mpl  # noqa: PLC0415 - only those who draw need it

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    plt.rcParams.update({"svg.hashsalt": "sash", "svg.fonttype": "none", "font.size": 9, "axes.titlesize": 9})
    (IMAGES / "one-send.svg").write_text(one_send(), encoding="utf-8")
    for name, draw in (("steps", draw_steps), ("windows", draw_windows)):
        draw(plt).savefig(IMAGES / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
