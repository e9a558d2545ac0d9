"""What every peer is asked: which request it would send if the user said this now. Standard library alone.

Messages are shaped as the Messages API has them, whatever the library makes of them inside; so is what it answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

Body = dict[str, Any]
Message = dict[str, Any]
Ask = Callable[[Body], str]
"""Asks a model, and gives its text: for libraries that have summaries made."""

AUTOMATIC = {"type": "ephemeral"}
"""`cache_control` at the top of a body: the API marks the last block by itself."""


@dataclass(frozen=True)
class Setting:
    """What a peer is told before a conversation begins. Sizes in tokens."""

    folder: str
    """for its files; a folder that was used before holds the conversation so far"""
    budget: int
    keep: int
    """what stays when a summary takes the place of the rest"""
    messages: int
    """for windows that count messages: an even number that fills the budget in the mean"""
    system: str = ""
    tally: bool = False
    """whether to count the characters that its token counter reads; that takes time of its own"""


class Peer:
    """A conversation held by another library."""

    packages: ClassVar[tuple[str, ...]] = ()
    """whose versions are told; the first is the peer"""
    setup: ClassVar[str] = ""
    """how the library is used, in a line"""
    caching: ClassVar[str] = ""
    """where its cache markers come from"""

    def __init__(self, setting: Setting, ask: Ask) -> None:
        self.setting, self.ask = setting, ask
        self.tokenised = 0
        """characters that its token counter has read, where `setting.tally` is on"""
        self.elsewhere = 0.0
        """processor seconds that others took meanwhile, such as a simulated model; they are no part of its times"""
        self.open()

    def open(self) -> None:
        """Open its store, and read of it what the library reads."""

    def load(self, messages: Sequence[Message]) -> None:
        """Take a whole past at once, by the library's best public way."""
        raise NotImplementedError

    def request(self, message: Message) -> Body:
        """The request that it would send if this was said now; what it remembers of that is its own affair."""
        raise NotImplementedError

    def reply(self, message: Message) -> None:
        """What was answered to the newest request; message and reply are kept.

        Its `usage` has `input_tokens` (all of the prompt) and `output_tokens`, where the request was not refused.
        """
        raise NotImplementedError

    def peek(self, message: Message) -> Body:
        """The same as `request`, and nothing of it is kept."""
        return self.request(message)

    def close(self) -> None:
        """Give up files and connections."""

    def counter(self, count: Callable[[str], int]) -> Callable[[str], int]:
        """A token counter for texts; with `tally`, what it reads is counted."""
        if not self.setting.tally:
            return count

        def counted(text: str) -> int:
            self.tokenised += len(text)
            return count(text)

        return counted


def text_of(message: Message) -> str:
    """All the text of a message."""
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(b["text"] for b in content if b["type"] == "text")


def automatic(messages: Sequence[Message], system: str = "") -> Body:
    """A body of these messages with the API's automatic marker, for libraries that set none for Claude."""
    body: Body = {"messages": list(messages), "cache_control": AUTOMATIC}
    return {"system": system, **body} if system else body
