"""Laws of the allowance for what requests hold unseen."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any

import pytest
from benchmarks.counting import TUNED_ON, against_transcripts
from hypothesis import given
from hypothesis import strategies as st

from sash import Conversation
from sash.counting.unseen import AT_ONCE, FIRST, allowance, most_passed
from sash.simulator import Simulator

LEARNING = 20
SMALLEST = 20_000


def passed(hidden: list[int], sizes: list[int], seen: float = 0.0) -> list[bool]:
    """Whether each request passed its bound: `sizes` is what the bound without an allowance came to."""
    allowed, misses = 0.0, []
    for extra, bound in zip(hidden, sizes, strict=True):
        real = bound + extra
        misses.append(real > bound + ceil(allowed))
        allowed = allowance(allowed, real=real, bound=bound, seen=seen)
    return misses


SESSIONS = st.integers(0, 9_000).flatmap(
    lambda most: st.lists(st.tuples(st.integers(-500, most), st.integers(SMALLEST, 150_000)), min_size=21, max_size=400)
)


@given(SESSIONS, st.floats(0, 5_000))
def test_the_bound_is_passed_as_rarely_as_promised(session: list[tuple[int, int]], seen: float) -> None:
    """Whatever is added unseen, in whatever order, no more requests pass their bound than `most_passed` says."""
    hidden, sizes = [extra for extra, _ in session], [size for _, size in session]
    misses = passed(hidden, sizes, seen)
    smallest = min(size + extra for extra, size in session)
    assert sum(misses) <= most_passed(len(session), hidden=max(0, *hidden), smallest=smallest)


@given(st.integers(0, 2**60), st.integers(100, 600), st.integers(1, 20_000))
def test_an_adversary_who_knows_the_bound_gains_no_more(seed: int, requests: int, most: int) -> None:
    """One who adds just more than is allowed for, whenever the bits of a number say so, passes it no more often."""
    allowed, misses = 0.0, 0
    for n in range(requests):
        wanted = ceil(allowed) + 1 if (seed >> (n % 60)) & 1 else 0
        extra = wanted if wanted <= most else 0
        misses += extra > ceil(allowed)
        allowed = allowance(allowed, real=SMALLEST + extra, bound=SMALLEST)
    assert misses <= most_passed(requests, hidden=most, smallest=SMALLEST)


@given(st.lists(st.integers(0, int(FIRST * SMALLEST / 2)), min_size=LEARNING + 100, max_size=300))
def test_small_additions_pass_at_most_one_percent_after_the_first_twenty(hidden: list[int]) -> None:
    """Where what is added stays below half the first allowance, the first twenty teach all but one in a hundred."""
    first = [40, *[0] * (LEARNING - 1)]
    misses = passed([*first, *hidden], [SMALLEST] * (LEARNING + len(hidden)))[LEARNING:]
    assert sum(misses) <= max(1, 0.01 * len(hidden))


def test_one_exception_does_not_blow_it_up() -> None:
    """A single addition of any size widens it to a share of that request at most; calm halves it in 199 requests."""
    allowed = allowance(0.0, real=90_000, bound=60_000.0)
    assert allowed == AT_ONCE * 90_000
    for _ in range(199):
        allowed = allowance(allowed, real=90_000, bound=90_000)
    assert allowed == pytest.approx(AT_ONCE * 90_000 / 2, rel=0.01)


def test_what_others_saw_counts_once_this_conversation_shows_it_too() -> None:
    """Without a sign of additions nothing is allowed for; at the first, as much as other conversations needed."""
    assert allowance(0.0, real=50_000, bound=50_000, seen=2_500) == 0.0
    assert allowance(0.0, real=50_010, bound=50_000, seen=2_500) == 2_500


class Injecting:
    """Middleware of the SDK: an application that adds reminders behind everybody's back, now and then."""

    def __init__(self) -> None:
        self.sent, self.reminders = 0, ""

    def __call__(self, request: Any, call_next: Any) -> Any:
        self.sent += 1
        if self.sent % 7 == 0:
            self.reminders += " The file was changed by somebody else; mind the new lines." * (self.sent % 5 + 1)
        body = dict(request.json)
        body["system"] = [*(body.get("system") or ()), {"type": "text", "text": "Mind." + self.reminders}]
        return call_next(request.copy(body=body))


def test_hidden_reminders_are_allowed_for_and_remembered(path: Path, sim: Simulator) -> None:
    """Requests that hold more than was planned pass their bound as rarely as promised; reopening forgets nothing."""
    client = sim.client(middleware=[Injecting()])
    sim.script(["Noted."] * 70)

    def open_one() -> Conversation:
        return Conversation(
            path, id="a", client=client, clock=sim.clock.now, model="claude-sonnet-4-6", budget=60_000,
            count_online=False, counter="features",
        )  # fmt: skip

    with open_one() as chat:
        replies = [chat.send(f"Line {n} says nothing new.") for n in range(35)]
        before = chat.plan("And now?")
    assert before.unseen > 0
    assert "for what the API may add" in before.explain()
    with open_one() as again:
        after = again.plan("And now?")
        assert (after.unseen, after.prompt) == (before.unseen, before.prompt)
        replies += [again.send(f"Line {n} says nothing new.") for n in range(35)]
    sent = [(reply.usage.prompt, reply.plan.prompt, reply.plan.unseen) for reply in replies]
    hidden = max(real - planned.tokens for real, planned, _ in sent)
    passed = sum(real > planned.upper for real, planned, _ in sent)
    assert passed <= most_passed(70, hidden=hidden, smallest=min(real for real, _, _ in sent))
    assert any(real > planned.upper - ceil(allowed) for real, planned, allowed in sent[LEARNING:])


@pytest.fixture
def data_sessions(data: Path) -> list[Path]:
    """Recorded sessions that nothing was tuned on, and that are long enough to say something."""
    return [path for path in sorted((data / "transcripts").glob("*.jsonl")) if not path.name.startswith(TUNED_ON)]


@pytest.mark.slow
def test_reach_of_the_bound_on_sessions_kept_apart(data_sessions: list[Path]) -> None:
    """After the first twenty requests of a session at most 1% pass the bound; the endpoint is asked less than that."""
    report = against_transcripts(data_sessions, "auto", range(30_000, 165_000, 15_000))
    assert report["endpoint_calls_per_100"] < 1
    for name, facts in report["sessions"].items():
        if facts["after_the_first"]:
            assert facts["passed_percent"] <= 1, (name, facts)
