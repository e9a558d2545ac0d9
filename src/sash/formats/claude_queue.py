"""Prompts typed while Claude works, as `queue-operation` rows tell of them: put in a queue, and what became of them.

`enqueue` puts one in; `dequeue` is followed by a user row; `remove` hands it to Claude within the running turn, with
or without its words; `popAll` gives all of them back to the person. Older versions leave some of these rows out: a
prompt whose words appear as a message of their own was sent that way.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sash.formats.reading import Field

_NOTICE = "<task-notification>"
"""What the program puts into the queue itself, when work in the background ends."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A prompt that was put in the queue."""

    text: str
    row: Field
    """Where it was handed to Claude; where it was put in, for one that never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What became of the prompts of a session, those apart that stand in messages of their own."""

    sent: tuple[Typed, ...] = ()
    unsent: tuple[Typed, ...] = ()


def queue(rows: Sequence[Field], said: Collection[str]) -> Queue:
    """Follow the rows of one session; `said` are the texts of its messages."""
    waiting: list[Typed] = []
    sent: list[Typed] = []
    unsent: list[Typed] = []
    for row in rows:
        operation, text = row.get("operation"), row.get("content")
        if operation == "enqueue" and isinstance(text, str) and text.strip() and text.strip() not in said:
            waiting.append(Typed(text, row))
        elif operation == "remove":
            found = _named(waiting, text)
            if found is not None:
                waiting.remove(found)
                sent.append(Typed(found.text, row))
        elif operation == "popAll":
            unsent, waiting = unsent + waiting, []
    return Queue(sent=tuple(sent), unsent=(*unsent, *waiting))


def _named(waiting: Sequence[Typed], text: str | None) -> Typed | None:
    """The one that a row means; without its words the oldest that a person typed: notices wait until Claude is done."""
    if isinstance(text, str):
        return next((one for one in waiting if one.text.strip() == text.strip()), None)
    by_age = sorted(waiting, key=lambda one: one.text.lstrip().startswith(_NOTICE))
    return by_age[0] if by_age else None
