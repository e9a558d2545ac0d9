"""A profile as it stands in a request: the user's own words, quoted with their dates, newest first, within a share.

What is quoted cannot leave its quotation, as in `sash.recall.quoting`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from sash.model.shares import first_within
from sash.model.values import counted, day
from sash.profile.entries import KINDS, Entry
from sash.recall.quoting import escaped

OPEN = "<profile>\nSaid by the user in earlier conversations, still holding, newest first (dates in UTC).\n"
CLOSE = "</profile>"
HEADS = {
    "instruction": "How they want to be answered:",
    "preference": "What they like and dislike:",
    "fact": "Facts about them:",
}

ORIGINS = {"rules": "found by rules", "model": "found by a model", "hand": "set by hand"}


def quoted_profile(entries: Iterable[Entry]) -> str:
    """The text of one block that tells a profile; "" for an empty one."""
    held = sorted(entries, key=lambda entry: (-entry.at, -entry.id))
    parts = [_part(kind, [entry for entry in held if entry.kind == kind]) for kind in reversed(KINDS)]
    return f"{OPEN}{''.join(parts)}{CLOSE}" if held else ""


def counted_by_origin(entries: Sequence[Entry]) -> str:
    """How many entries there are, and who made them; "" for none."""
    made = Counter(entry.by for entry in entries)
    told = [f"{number} {ORIGINS[by]}" if len(made) > 1 else ORIGINS[by] for by, number in made.items()]
    return f"{counted(len(entries), 'entry')}, {', '.join(told)}" if entries else ""


def quoted_within_share(entries: Iterable[Entry], most: int, tokens: Callable[[str], int]) -> tuple[Entry, ...]:
    """As many entries as `most` tokens hold, quoted: instructions first, then preferences, the newest of each."""
    held = sorted(entries, key=lambda entry: (-KINDS.index(entry.kind), -entry.at, -entry.id))
    return tuple(first_within(held, most, lambda first: tokens(quoted_profile(first))))


def _part(kind: str, entries: Sequence[Entry]) -> str:
    return f"{HEADS[kind]}\n" + "".join(_line(entry) for entry in entries) if entries else ""


def _line(entry: Entry) -> str:
    short = "(in short) " if entry.by == "model" else ""
    return f"- [{day(entry.at)}] {short}{escaped(' '.join(entry.text.split()))}\n"
