"""Turns as they are shown: texts, thinking and calls folded, each call with its result, pictures. For a template.

What is long is cut off with a word on how much is left; nothing is run, and nothing is loaded from elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sash.model.blocks import Block, readable
from sash.model.incoming import CALLS
from sash.model.turns import Turn

LONG = 20_000
"""Characters of a text, a call or a result that a page of turns shows."""
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Kinds that are shown as pictures."""

ImageAddress = Callable[[Turn, int, Block], str]
"""Where a picture is found: its turn, its place among the turn's pictures, its block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a turn: a text, thinking, a call, a picture, or another block as JSON."""

    kind: str
    text: str = ""
    title: str = ""
    left: int = 0
    """characters that are not shown"""
    result: str | None = None
    """of a call, where it has one"""
    result_left: int = 0
    failed: bool = False
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTurn:
    """A turn and its parts."""

    turn: Turn
    pieces: tuple[Piece, ...]
    in_view: bool
    """whether the next request sends it, as it stands"""
    pinned: bool = False


def shown_turns(
    turns: Sequence[Turn],
    images: ImageAddress,
    *,
    first: int = 1,
    pinned: frozenset[int] = frozenset(),
    most: int = LONG,
) -> list[ShownTurn]:
    """Turns with their parts; results stand with their calls, where those are among `turns`.

    `first`: seq where the window begins. `pinned`: the first seqs of pinned exchanges.
    """
    results = _results(turns)
    calls = {block.get("id") for turn in turns for block in turn.blocks if _is_call(block)}
    made = []
    for turn in turns:
        pieces = tuple(_pieces(turn, results, calls, images, most))
        if pieces or turn.plain:
            in_view = turn.state != "withdrawn" and (turn.seq >= first or turn.role == "system" or turn.seq in pinned)
            made.append(ShownTurn(turn=turn, pieces=pieces, in_view=in_view, pinned=turn.seq in pinned))
    return made


def pictures(turn: Turn) -> list[Block]:
    """The pictures of a turn in order, those within results too, that may be shown as such."""
    return list(_pictures(turn.blocks))


def _pictures(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        source = block.get("source")
        if block.get("type") == "image" and isinstance(source, Mapping) and source.get("media_type") in PICTURES:
            yield block
        inner = block.get("content")
        if isinstance(inner, list):
            yield from _pictures([one for one in inner if isinstance(one, dict)])


def _is_call(block: Block) -> bool:
    return block.get("type") in CALLS


def _results(turns: Sequence[Turn]) -> dict[Any, tuple[Turn, Block]]:
    return {block["tool_use_id"]: (turn, block) for turn in turns for block in turn.blocks if block.get("tool_use_id")}


def _pieces(
    turn: Turn, results: Mapping[Any, tuple[Turn, Block]], calls: set[Any], images: ImageAddress, most: int
) -> Iterator[Piece]:
    for block in turn.blocks:
        kind = block.get("type")
        if kind == "text":
            text = str(block.get("text") or "")
            yield Piece(kind="text", text=text[:most], left=max(0, len(text) - most))
        elif kind in ("thinking", "redacted_thinking"):
            text = str(block.get("thinking") or "")
            yield Piece(kind="thinking", text=text[:most], left=max(0, len(text) - most))
        elif kind == "image":
            yield Piece(kind="image", images=_addresses(turn, [block], images), text=readable([block]))
        elif _is_call(block):
            yield _call(block, results.get(block.get("id")), images, most)
        elif block.get("tool_use_id") not in calls or not block.get("tool_use_id"):
            yield _other(turn, block, images, most)


def _call(block: Block, found: tuple[Turn, Block] | None, images: ImageAddress, most: int) -> Piece:
    asked = json.dumps(block.get("input"), indent=2, ensure_ascii=False)
    result = readable([found[1]]) or json.dumps(found[1].get("content"), ensure_ascii=False) if found else None
    return Piece(
        kind="call",
        title=str(block.get("name") or "call"),
        text=asked[:most],
        left=max(0, len(asked) - most),
        result=None if result is None else result[:most],
        result_left=max(0, len(result or "") - most),
        failed=bool(found and found[1].get("is_error")),
        images=_addresses(found[0], [found[1]], images) if found else (),
    )


def _other(turn: Turn, block: Block, images: ImageAddress, most: int) -> Piece:
    kind = str(block.get("type"))
    said = readable([block]) or json.dumps(_without_data(block), indent=2, ensure_ascii=False)
    title = str(block.get("title") or kind.replace("_", " "))
    return Piece(
        kind="other",
        title=title,
        text=said[:most],
        left=max(0, len(said) - most),
        failed=bool(block.get("is_error")),
        images=_addresses(turn, [block], images),
    )


def _without_data(block: Block) -> Any:
    """A block without the bytes that it carries."""
    if isinstance(block, dict):
        return {key: "…" if key == "data" else _without_data(value) for key, value in block.items()}
    return [_without_data(one) for one in block] if isinstance(block, list) else block


def _addresses(turn: Turn, blocks: Sequence[Block], images: ImageAddress) -> tuple[str, ...]:
    places = {id(block): at for at, block in enumerate(pictures(turn))}
    return tuple(images(turn, places[id(block)], block) for block in _pictures(blocks))
