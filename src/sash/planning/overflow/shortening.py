"""Tool results that never enter a view whole: their head and tail are sent, with a handle to read on by.

The record keeps the whole result; only what is sent of it is shorter, from its first request on, so that nothing that
was sent is ever rewritten. What is too long is said by the caller, or follows from prices: a token that is left out
saves its write and its reads for the rest of the run, and may have to be asked for in a request more. Pure; sizes are
tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sash.model.blocks import Block, dumps, parsed, readable, text_block
from sash.model.cards import ModelCard
from sash.model.preamble import Preamble
from sash.model.turns import Draft
from sash.planning.overflow.clearing import RECALL

SEARCH = "search_result"
"""The tool by which Claude may look for words in a result."""
LEAST = 4_000
"""Tokens that are never too long by price alone."""
SHARE = 4
"""By price alone, results of more than the budget divided by this are always too long."""
ASKED_AGAIN = 0.5
"""How often something of what was left out is asked for: an assumption, on the careful side of half."""
STEPS = 8
"""Requests that a run goes on for: an assumption."""
CALL = 100
"""Tokens of a reply that asks for more."""
HEAD = 2 / 3
"""The share of what is sent that is the beginning of the result."""
SAMPLE = 4_000
"""Characters counted at the beginning, in the middle and at the end of a long text, to know what it weighs."""


def offers_reading_on(preamble: Preamble) -> bool:
    """Whether the tools let Claude read what is left out of a result."""
    return {RECALL, SEARCH}.issubset(preamble.tool_names)


def priced_limit(card: ModelCard, *, prompt: int, budget: int) -> int:
    """Tokens above which leaving the rest of a result out is the cheaper choice, where Claude can ask for it.

    Sent whole, each token more is written once and read in each of the `STEPS` requests to come; left out, a request
    more may be needed, which reads the `prompt` and says `CALL` tokens:
    more * (write + STEPS * read) = ASKED_AGAIN * (prompt * read + CALL * output).
    """
    ceiling = max(1, budget // SHARE)
    if not card.prices:
        return min(LEAST, ceiling)
    prices = card.price(prompt)
    again = ASKED_AGAIN * (prompt * prices.read + CALL * prices.output)
    return min(ceiling, max(LEAST, int(again / (prices.write_5m + STEPS * prices.read))))


def shortened(draft: Draft, most: int, size: Callable[[str], int], *, reads_on: bool) -> Draft:
    """The turn with what is sent of its tool results, where one has more than `most` tokens; else as it is.

    `size`: tokens of a text. `reads_on`: whether Claude is offered the tools that read the rest. Results that hold more
    than text stay whole.
    """
    if draft.plain or draft.form is not None:
        return draft
    blocks = [_short(block, most, size, reads_on) for block in draft.blocks]
    return draft if blocks == draft.blocks else replace(draft, form=dumps(blocks))


def said_of(draft: Draft) -> list[str]:
    """Which results of a turn are sent shortened, a sentence each."""
    if draft.form is None:
        return []
    return [
        f"the result of call {whole['tool_use_id']} ({len(_text(whole) or ''):,} characters) is sent as its beginning "
        f"and its end ({len(_text(short) or ''):,} characters), and recorded whole"
        for whole, short in zip(draft.blocks, parsed(draft.form), strict=True)
        if whole != short
    ]


def _short(block: Block, most: int, size: Callable[[str], int], reads_on: bool) -> Block:
    text = _text(block) if block.get("type") == "tool_result" else None
    if text is None or len(text.encode()) <= most:  # no token is less than a byte
        return block
    weight = _weight(text, size)
    if weight <= most:
        return block
    kept = int(len(text) * most / weight)
    head, tail = _head(text, int(kept * HEAD)), _tail(text, kept - int(kept * HEAD))
    said = f"{head}{_handle(block, len(text), len(head), len(text) - len(tail), reads_on)}{tail}"
    return {**block, "content": said} if len(said) < len(text) else block


def _text(block: Block) -> str | None:
    """What a result says, if it is text alone; reading on counts the characters of the same text."""
    content = block.get("content", "")
    parts = [text_block(content)] if isinstance(content, str) else content
    if not isinstance(parts, list) or any(
        not isinstance(part, Mapping) or part.get("type") != "text" for part in parts
    ):
        return None
    return readable(parts)


def _weight(text: str, size: Callable[[str], int]) -> int:
    """Tokens of a text; of a long one by samples."""
    if len(text) <= 3 * SAMPLE:
        return size(text)
    middle = (len(text) - SAMPLE) // 2
    samples = (text[:SAMPLE], text[middle : middle + SAMPLE], text[-SAMPLE:])
    return int(len(text) * sum(map(size, samples)) / (3 * SAMPLE))


def _head(text: str, kept: int) -> str:
    """The beginning, up to the end of a line where one is near."""
    line = text.rfind("\n", kept * 3 // 4, kept)
    return text[: kept if line < 0 else line + 1]


def _tail(text: str, kept: int) -> str:
    """The end, from the beginning of a line where one is near."""
    start = len(text) - kept
    line = text.find("\n", start, start + kept // 4)
    return text[start if line < 0 else line + 1 :]


def _handle(block: Block, length: int, start: int, end: int, reads_on: bool) -> str:
    """What stands for the middle: how much it is, and how to read it where that is offered."""
    call = block.get("tool_use_id")
    how = (
        f" {RECALL} with tool_use_id {call}, start and end reads them; {SEARCH} with tool_use_id {call} finds words."
        if reads_on
        else ""
    )
    return f"\n[Characters {start:,} to {end:,} of {length:,} are left out to save context.{how}]\n"
