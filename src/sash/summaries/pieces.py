"""Long backlogs in pieces: each small enough for one request, between exchanges where that can be.

A model's window, or a price that jumps at some size, bounds what one request may read. Each piece is summarised with
the summary of the pieces before it as its previous one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from sash.errors import InvalidOption
from sash.model.blocks import dumps, text_block
from sash.model.turns import Turn, by_exchange


class BacklogPiece(NamedTuple):
    """Turns that one request reads, and the tokens of their text with a tag around each."""

    turns: tuple[Turn, ...]
    tokens: int


def split(turns: Sequence[Turn], most: int, size: Callable[[str], int]) -> list[BacklogPiece]:
    """Turns in pieces of at most `most` tokens of readable text, in order; `size` tells a text's tokens.

    An exchange that is larger is broken between turns, and a turn that is larger into parts of the same seq.
    Raises InvalidOption for a `most` that leaves no room.
    """
    if most < LEAST:
        raise InvalidOption(f"pieces of {most} tokens are too small; give at least {LEAST}", option="most", value=most)
    pieces: list[BacklogPiece] = []
    held: list[Turn] = []
    filled = 0
    for unit, tokens in _units(turns, most, size):
        if held and filled + tokens > most:
            pieces.append(BacklogPiece(tuple(held), filled))
            held, filled = [], 0
        held += unit
        filled += tokens
    return [*pieces, BacklogPiece(tuple(held), filled)] if held else pieces


LEAST = 100
"""Tokens that a piece holds at least."""
FRAME = 30
"""Tokens of the tag around a turn."""


def _units(turns: Sequence[Turn], most: int, size: Callable[[str], int]) -> Iterator[tuple[Sequence[Turn], int]]:
    """What stays together: exchanges, turns of larger ones, parts of larger turns; each with its tokens."""
    for exchange in by_exchange(turns):
        tokens = [size(turn.text) + FRAME for turn in exchange]
        if sum(tokens) <= most:
            yield exchange, sum(tokens)
            continue
        for turn, one in zip(exchange, tokens, strict=True):
            for part in [turn] if one <= most else _parts(turn, one, most):
                yield [part], min(one, most)


def _parts(turn: Turn, tokens: int, most: int) -> Iterator[Turn]:
    """A turn's readable text in parts, cut at line ends or blanks where there are any nearby."""
    text = turn.text
    length = max(1, int(len(text) * (most - FRAME) / tokens * 0.8))
    while text:
        end = len(text) if len(text) <= length else _cut(text, length)
        yield replace(turn, content=dumps([text_block(text[:end])]))
        text = text[end:]


def _cut(text: str, length: int) -> int:
    for sign in ("\n", " "):
        at = text.rfind(sign, length // 2, length)
        if at > 0:
            return at + 1
    return length
