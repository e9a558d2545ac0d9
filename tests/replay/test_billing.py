"""The replay's own cache against the simulator's, which was written apart from it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sash.model.cards import Ttl
from sash.planning.situation import Marks
from sash.replay.billing import BareCache
from sash.simulator.cache import CacheBlock, PromptCache

GAPS = (1.0, 60.0, 299.0, 300.0, 301.0, 1200.0, 3599.0, 3600.0, 9000.0)

steps = st.lists(
    st.tuples(
        st.sampled_from(GAPS), st.integers(1, 900), st.booleans(), st.sampled_from((None, "5m", "1h")), st.booleans()
    ),
    min_size=1,
    max_size=20,
)


def blocks(sizes: list[int], start: int, preamble: int, marks: Marks, previous: int | None) -> list[CacheBlock]:
    """The prompt as the simulator takes it, markers where the planner puts them: preamble, last written tail, tail."""
    head = [CacheBlock(key="P", tokens=preamble, marker=marks.preamble)] if preamble else []
    for i in range(start, len(sizes)):
        marker = marks.tail if i == len(sizes) - 1 else None
        if i == previous and marker is None:
            marker = marks.tail or "5m"
        head.append(CacheBlock(key=(start, i), tokens=sizes[i], marker=marker))
    return head


@settings(max_examples=400)
@given(steps, st.sampled_from((0, 300, 2000)), st.sampled_from((0, 512, 1024)), st.sampled_from(("5m", "1h")))
def test_bills_equal_the_simulators(requests: list[Any], preamble: int, minimum: int, lifetime: Ttl) -> None:
    """Read, written and fresh tokens agree request by request, over cuts, pauses and unmarked tails.

    A view keeps its lifetime and the preamble's is never shorter, as the planner has it.
    """
    bare, simulated = BareCache(preamble=preamble, minimum=minimum), PromptCache()
    now, start, previous, sizes, ttl = 0.0, 0, None, [], lifetime
    for gap, tokens, cut, tail, marked in requests:
        now += gap
        sizes.append(tokens)
        if cut:
            start, previous = len(sizes) - 1, None
        warm = bare.warmth(start).tail_until > now
        ttl = ttl if warm or tail is None else tail if lifetime == "1h" else "5m"
        marks = Marks(preamble=lifetime if marked or tail else None, tail=ttl if tail else None)
        prompt = preamble + sum(sizes[start:])
        sent = blocks(sizes, start, preamble, marks, previous if warm else None)
        expected = simulated.request(sent, now=now, minimum=minimum)
        usage = bare.request(start, prompt, marks, now)
        assert (usage.fresh, usage.read) == (expected.fresh, expected.read)
        assert (usage.write_5m, usage.write_1h) == (expected.write_5m, expected.write_1h)
        if marks.tail and prompt >= minimum:
            previous = len(sizes) - 1
