"""Conversations written down: each format that is written is one that is read, and holds all that it has a place for.

`claude` and `jsonl` are bodies of the Messages API (a document, or one a line) with times, ids and the rest under a
key of sash's own; `openai` is the body that chat completions take; `markdown` is for people, and nothing is lost.
Pages of HTML are written by `sash.inspect`.
"""

from __future__ import annotations

from collections.abc import Callable

from sash.formats import anthropic, markdown, openai_writing
from sash.formats.values import ImportedConversation

WRITERS: dict[str, Callable[[ImportedConversation], str]] = {
    "claude": anthropic.dump,
    "openai": openai_writing.dump,
    "jsonl": lambda conversation: anthropic.dump(conversation, indent=None),
    "markdown": markdown.dump,
}
LINES: dict[str, Callable[[ImportedConversation], str]] = {
    "jsonl": WRITERS["jsonl"],
    "openai": lambda conversation: openai_writing.dump(conversation, indent=None),
}
"""Formats that hold several conversations, one a line."""
ENDINGS = {".json": "claude", ".jsonl": "jsonl", ".md": "markdown", ".html": "html"}
"""What the name of a new file says of its format."""


def lost(conversation: ImportedConversation, format: str) -> tuple[str, ...]:
    """What the conversation has and the format has no place for, counted."""
    return openai_writing.lost(conversation) if format == "openai" else ()
