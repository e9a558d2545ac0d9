"""A conversation as a page of HTML that carries what it shows: written by `sash.inspect`, read back without loss.

The page holds the conversation as JSON, in an element that no browser shows or runs.
"""

from __future__ import annotations

import re

from sash.formats import anthropic
from sash.formats.reading import document, invalid
from sash.formats.values import ImportedConversation

MARK = "<!-- sash-page -->"
"""How a page of ours is told, in its first lines."""
_OPEN, _CLOSE = '<script type="application/json" id="sash-conversation">', "</script>"
_HELD = re.compile(f"{re.escape(_OPEN)}(.*?){re.escape(_CLOSE)}", re.DOTALL)


def element(conversation: ImportedConversation) -> str:
    """The conversation as an element of a page that has the mark: no sign of what was said ends it."""
    return f"{_OPEN}{anthropic.dump(conversation).replace('<', chr(92) + 'u003c')}{_CLOSE}"


def parse(text: str, *, path: str = "<text>") -> tuple[ImportedConversation, ...]:
    """The conversation that a page carries. Raises InvalidImport."""
    found = _HELD.search(text)
    if found is None:
        raise invalid(path, "the page carries no conversation; it may be cut short: export it again")
    return (anthropic.conversation_of(document(found[1], path), "1"),)
