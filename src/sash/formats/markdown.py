"""A conversation as Markdown: to be read by people, and read back without loss.

What people see are headings and texts; what a reader needs (times, ids, calls and results whole) stands in comments,
which no page shows. A text runs from its comment to the next one and may be edited; a line of it that looks like such
a comment is told apart by a backslash. Raises nothing of its own on writing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sash.formats import anthropic
from sash.formats.reading import Field, document, invalid
from sash.formats.values import Block, ImportedConversation, ImportedTurn

MARK = "<!-- sash-conversation "
"""How the file begins."""
_TURN, _BLOCK, _END = "<!-- sash-turn ", "<!-- sash-block ", " -->"
_COMMENT = re.compile(r"\\*<!-- sash-")


def dump(conversation: ImportedConversation) -> str:
    """The conversation as Markdown, readable by `parse` without loss."""
    head = json.loads(anthropic.dump(replace(conversation, turns=())))
    lines = [_comment(MARK, head), f"# {conversation.title or conversation.id}", ""]
    if conversation.system:
        lines += ["## System", "", *_said(conversation.system), ""]
    for turn in conversation.turns:
        lines += [_comment(_TURN, {"role": turn.role, **anthropic.facts_of(turn)}), f"## {_heading(turn)}", ""]
        for block in turn.content:
            lines += _block(block)
    return "\n".join(lines)


def _comment(mark: str, value: Any) -> str:
    """A comment that holds JSON: no sign of it ends the comment."""
    return f"{mark}{json.dumps(value).replace('>', chr(92) + 'u003e')}{_END}"


def _said(system: str | Sequence[Block]) -> list[str]:
    texts = [system] if isinstance(system, str) else [str(block.get("text", "")) for block in system]
    return [_escaped(line) for text in texts for line in text.split("\n")]


def _heading(turn: ImportedTurn) -> str:
    who = turn.speaker or turn.role.capitalize()
    return who if turn.at is None else f"{who}, {datetime.fromtimestamp(turn.at, UTC):%Y-%m-%d %H:%M} UTC"


def _block(block: Block) -> list[str]:
    """A text as it is; of another block all that there is in the comment, and a sight of it for people."""
    text = block.get("text")
    if block.get("type") == "text" and isinstance(text, str) and _can_be_written(text):
        kept = {} if list(block) == ["type", "text"] else {**block, "text": ""}  # in their order, which caches read
        return [_comment(_BLOCK, {"text": kept}), *map(_escaped, text.split("\n")), ""]
    return [_comment(_BLOCK, {"whole": block}), *map(_escaped, _sight(block).split("\n")), ""]


def _can_be_written(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return "\r" not in text  # which editors change


def _escaped(line: str) -> str:
    return f"\\{line}" if _COMMENT.match(line) else line


def _sight(block: Block) -> str:
    kind = block.get("type")
    if kind == "tool_use":
        return f"*Calls {block.get('name')}*\n\n{_fenced(json.dumps(block.get('input'), indent=1), 'json')}"
    if kind == "tool_result":
        content = block.get("content") or ""
        texts = [content] if isinstance(content, str) else [str(part.get("text", "")) for part in content]
        return f"*{'It failed' if block.get('is_error') else 'Result'}*\n\n{_fenced(chr(10).join(texts))}"
    named = f": {block['title']}" if block.get("title") else ""
    return f"*({kind}{named})*"


def _fenced(text: str, language: str = "") -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    shown = text.encode(errors="replace").decode()
    return f"{fence}{language}\n{shown}\n{fence}"


def parse(text: str, *, path: str = "<text>") -> tuple[ImportedConversation, ...]:
    """The conversation of a Markdown file that `dump` wrote. Raises InvalidImport that names the line."""
    head: ImportedConversation | None = None
    turns: list[dict[str, Any]] = []
    for number, mark, value, lines in _sections(text, path):
        if mark == MARK:
            head = anthropic.conversation_of(Field(value, path, number), "1")
        elif mark == _TURN:
            turns.append({**value, "content": []})
        elif not turns:
            raise invalid(path, "a block before the first turn; the file may be cut", line=number)
        else:
            turns[-1]["content"].append(_read(value, lines))
    if head is None:
        raise invalid(path, f"the line that begins with {MARK!r} is missing; export the conversation again")
    return (replace(head, turns=tuple(anthropic.turn_of(Field(turn, path)) for turn in turns)),)


def _sections(text: str, path: str) -> Iterator[tuple[int, str, dict[str, Any], list[str]]]:
    """Each comment of ours (line, mark, value) with the lines behind it."""
    found: tuple[int, str, dict[str, Any], list[str]] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        mark = next((mark for mark in (MARK, _TURN, _BLOCK) if line.startswith(mark)), None)
        if mark is None:
            if found:
                found[3].append(line)
            continue
        if found:
            yield found
        found = number, mark, _value(line.rstrip("\r"), mark, path, number), []
    if found:
        yield found


def _value(line: str, mark: str, path: str, number: int) -> dict[str, Any]:
    if not line.endswith(_END):
        raise invalid(path, "the comment has no end; the file may be cut short", line=number)
    return document(line[len(mark) : -len(_END)], path).object()


def _read(value: dict[str, Any], lines: list[str]) -> Block:
    if "whole" in value:
        return dict(value["whole"])
    said = [line[1:] if line.startswith("\\") and _COMMENT.match(line) else line for line in lines]
    text = "\n".join(said[:-1] if said[-1:] == [""] else said)
    return {**(value.get("text") or {"type": "text"}), "text": text}
