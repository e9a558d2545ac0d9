"""Whatever holds traces, as recordings: what `lab.read` gave, traces, conversations, a store, names of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from sys import maxsize
from typing import Any

from sash.conversation import Conversation
from sash.conversation.exports import recorded
from sash.errors import InvalidOption
from sash.formats import SASH, ImportedConversation, LeftOut
from sash.lab.reading import Recording, Recordings, read, recording_of
from sash.replay import Trace, traces
from sash.stores.store import DatabaseStore

GIVE = 'give what sash.lab.read("chats.json") or sash.lab.synthetic("office") returns, traces, conversations or a store'


def synthetic(regime: str, *, seed: int = 0, exchanges: int = 600) -> Trace:
    """Made-up traffic: equal arguments give the equal trace. Raises InvalidOption, which names the regimes."""
    return traces.synthetic(regime, seed, exchanges=exchanges)


def recordings_of(given: Any) -> Recordings:
    """All recordings in what was given, each with a name of its own. Raises InvalidOption where there is none."""
    found = list(_each(given))
    left_out = tuple(one for one in found if isinstance(one, LeftOut))
    held = [one for one in found if isinstance(one, Recording)]
    if not held:
        why = f": {left_out[0]}" if left_out else f" in {given!r:.60}"
        raise InvalidOption(f"traces: there is nothing to replay{why}; {GIVE}", option="traces", value=given)
    return Recordings(tuple(_named(held)), left_out)


def _each(given: Any) -> Iterator[Recording | LeftOut]:
    if isinstance(given, Recordings):
        yield from given.left_out
        yield from given
    elif isinstance(given, Recording | LeftOut):
        yield given
    elif isinstance(given, Trace):
        yield Recording(name=given.name, source=given.name, format="trace", bare=given)
    elif isinstance(given, ImportedConversation):
        yield recording_of(given, name=given.id, source=given.id, format="conversation")
    elif isinstance(given, Conversation):
        found = recorded(given._store, given.id, namespace=given.namespace)
        yield recording_of(found, name=given.id, source=given.id, format=SASH)
    elif isinstance(given, DatabaseStore):
        for info in given.conversations(limit=maxsize):
            yield recording_of(recorded(given, info.id), name=info.id, source=info.id, format=SASH)
    elif isinstance(given, str | PathLike):
        yield from _each(read(given))
    elif isinstance(given, Iterable):
        for one in given:
            yield from _each(one)
    else:
        raise InvalidOption(f"traces: {given!r:.60} is no recording; {GIVE}", option="traces", value=given)


def _named(held: Sequence[Recording]) -> Iterator[Recording]:
    """Names that several bear get numbers."""
    times = Counter(one.name for one in held)
    seen: Counter[str] = Counter()
    for one in held:
        seen[one.name] += 1
        yield replace(one, name=f"{one.name} ({seen[one.name]})") if times[one.name] > 1 else one
