"""Which missing facts are quoted: by cost of loss per token, each statement once, within what room is left.

A statement is worth its dearest fact and a part of the others; facts that what is chosen already holds add nothing,
and a name that already stands there adds little. Greedy: what is worth most per token comes first.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Sequence

from sash.summaries.coverage import Coverage
from sash.summaries.facts import Fact, normal
from sash.summaries.layout import SummaryLine

MORE = 0.35
"""What each further fact of a statement adds, as a part of its worth."""
FRAME = 16
"""Tokens that a line costs beside its words: long lines are not worth more for being long."""
FULL = 12
"""Lines that do not fit in a row: then there is no room left."""


def choose(missing: Sequence[Fact], held: Coverage, room: int, size: Callable[[str], int]) -> tuple[SummaryLine, ...]:
    """The lines to add, the dearest first. `held` is what the summary holds already; it learns what is added."""
    room -= TITLES
    heap = []
    for order, facts in enumerate(_by_statement(missing)):
        line = facts[0].line
        tokens = size(str(line)) + 1
        heap.append((-_gain(facts, held) / (tokens + FRAME), order, tokens, facts))
    heapq.heapify(heap)
    chosen: list[SummaryLine] = []
    misses = 0
    while heap and misses < FULL:
        worth, order, tokens, facts = heapq.heappop(heap)
        now = -_gain(facts, held) / (tokens + FRAME)
        if now > worth and heap and now > heap[0][0]:
            heapq.heappush(heap, (now, order, tokens, facts))
        elif now and tokens <= room:
            chosen.append(facts[0].line)
            held.add(facts[0].quote)
            room -= tokens
        elif now:
            misses += 1
    return tuple(chosen)


TITLES = 20
"""Tokens of the titles over the lines."""


def _by_statement(facts: Sequence[Fact]) -> list[list[Fact]]:
    """Facts that one quotation saves; said again, the newest saying counts. Instructions have a place of their own."""
    found: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.kind != "instruction":
            said = found[normal(fact.quote)]
            if said and said[0].seq != fact.seq:
                said.clear()
            said.append(fact)
    return list(found.values())


def _gain(facts: Sequence[Fact], held: Coverage) -> float:
    """What a statement would save, as things stand."""
    saved = sorted(
        (fact.worth / (1 + held.mentions(fact.text)) for fact in facts if not held.holds(fact)), reverse=True
    )
    return saved[0] + MORE * sum(saved[1:]) if saved else 0.0
