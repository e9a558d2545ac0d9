"""Turns to rank, pack and quote, built by hand."""

from __future__ import annotations

from typing import Any

from sash.model.blocks import dumps, text_block
from sash.model.turns import Turn
from sash.recall import Found


def turn(seq: int, words: str, role: Any = "user", at: float = 0.0, speaker: str | None = None) -> Turn:
    """A recorded turn of text."""
    return Turn(
        id=seq, branch=1, seq=seq, role=role, plain=role == "user", state="answered",
        content=dumps([text_block(words)]), at=at, speaker=speaker,
    )  # fmt: skip


def found(one: Turn) -> Found:
    """A turn that was found, quoted whole."""
    return Found(turn=one, score=1.0, why="words: a", text=one.text, tokens=1)
