"""What is sent of a result that is too long."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sash import card
from sash.flows.tools.results import part_of
from sash.model.blocks import dumps, text_block
from sash.model.turns import Draft
from sash.planning.overflow.shortening import LEAST, priced_limit, said_of, shortened
from sash.recall.passages import passages


def answered(*contents: object) -> Draft:
    """A turn of tool results."""
    blocks = [{"type": "tool_result", "tool_use_id": f"toolu_{n}", "content": one} for n, one in enumerate(contents)]
    return Draft(role="user", content=dumps(blocks))


def size(text: str) -> int:
    """A token for four bytes."""
    return len(text.encode()) // 4


@given(
    st.lists(st.text(max_size=3_000) | st.text("ab \n", min_size=500, max_size=20_000), min_size=1), st.integers(1, 800)
)
def test_what_is_sent_is_no_longer_and_the_rest_is_whole(texts: list[str], most: int) -> None:
    """Each result is sent whole, or shorter, as its own beginning and end; the recorded content never changes."""
    draft = answered(*texts)
    made = shortened(draft, most, size, reads_on=True)
    assert made.content == draft.content
    assert shortened(made, most, size, reads_on=True) == made
    sent = json.loads(made.form) if made.form else draft.blocks
    for whole, block in zip(draft.blocks, sent, strict=True):
        assert {**whole, "content": ""} == {**block, "content": ""}
        if block != whole:
            assert size(whole["content"]) > most and len(block["content"]) < len(whole["content"])
            head, _, tail = block["content"].partition("\n[Characters ")
            assert whole["content"].startswith(head) and whole["content"].endswith(tail.partition(".]\n")[2][-most:])
    assert len(said_of(made)) == sum(one != two for one, two in zip(draft.blocks, sent, strict=True))


@given(st.lists(st.sampled_from(["", "one line\n", "word " * 60, "z" * 900]), min_size=1, max_size=6))
def test_the_handle_counts_characters_as_reading_on_does(texts: list[str]) -> None:
    """What the handle says is left out is, read by its numbers, what stands between the beginning and the end."""
    (whole,) = answered([*map(text_block, texts), text_block("z" * 2_000)]).blocks
    (sent,) = json.loads(shortened(answered(whole["content"]), 100, size, reads_on=True).form or "")
    found = re.fullmatch(r"(.*)\n\[Characters ([\d,]+) to ([\d,]+) of ([\d,]+) .*?\]\n(.*)", sent["content"], re.DOTALL)
    assert found is not None
    start, end, length = (int(number.replace(",", "")) for number in found.group(2, 3, 4))
    assert found[1] == part_of("c", whole["content"], 0, start)
    assert found[5] == part_of("c", whole["content"], end, length)
    assert not part_of("c", whole["content"], length - 1, length + 1)[1:]


def test_a_result_that_holds_bare_strings_stays_whole() -> None:
    """Other programs put more than blocks into a result; what is no text block is not shortened."""
    draft = answered(["word " * 2_000])
    assert shortened(draft, 100, size, reads_on=True) == draft
    assert part_of("c", ["word " * 20, text_block("end")], 100, 104) == "\nend"


@given(st.integers(0, 1_000_000), st.integers(1, 1_000_000))
def test_the_priced_limit_lies_within_the_budget_and_grows_with_the_prompt(prompt: int, budget: int) -> None:
    """A longer prompt makes asking again dearer, so that more is sent; never more than a quarter of the budget."""
    for found in (card("claude-sonnet-5-5"), replace(card("claude-sonnet-5-5"), prices=())):
        limit = priced_limit(found, prompt=prompt, budget=budget)
        assert 1 <= limit <= max(1, budget // 4)
        assert limit <= priced_limit(found, prompt=prompt + 10_000, budget=budget)
        assert limit >= min(LEAST, max(1, budget // 4))


@given(st.text("ab c\n", max_size=5_000), st.sampled_from(["aab", "b c", "zzz"]))
def test_passages_are_where_they_say(text: str, query: str) -> None:
    """Each passage is the text between its bounds and holds a word of the query; none overlaps another."""
    found = passages(text, query)
    assert len(found) <= 5
    for one in found:
        assert text[one.start : one.end] == one.text
        assert any(word in one.text for word in query.split())
    ordered = sorted(found, key=lambda one: one.start)
    assert all(one.end <= two.start for one, two in pairwise(ordered))
