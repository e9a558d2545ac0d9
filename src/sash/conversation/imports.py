"""Foreign conversations into a record: `formats.read` or `formats.Scan` reads them, `record` writes them.

    recorded = record(store, formats.read("session.jsonl"))
    recorded = record(store, formats.Scan("exports/"))        # one conversation in memory at a time

What an earlier import recorded is not recorded again: a session that has grown since brings its new turns alone.
System prompt and tools that come along are in force when the conversation is next opened, unless the caller gives
others. Each conversation is recorded whole or not at all; where it comes from stands in its metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sash.conversation import Conversation
from sash.errors import InvalidOption, NotFound
from sash.formats import HistoryProblem, ImportedConversation, ImportedTurn, SourcedConversation
from sash.model.blocks import Block, dumps
from sash.model.cards import dollars
from sash.model.ids import free_id
from sash.model.turns import Draft, Turn, UsedElsewhere
from sash.model.usage import Usage
from sash.model.window import Head
from sash.planning.history.check import is_note, record_problems
from sash.planning.rules import Problem
from sash.planning.rules.tools import NAME
from sash.stores import Store

Conversations = ImportedConversation | SourcedConversation

REMARKS = 20
"""Remarks that are kept with a conversation."""
LONGEST = 120
"""Characters of a rewritten tool name: 128 are taken, and a number may have to stand behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the import of one conversation came to."""

    id: str
    format: str = ""
    """of the file it comes from, where that is known"""
    turns: tuple[Turn, ...]
    """recorded now, in order"""
    known: int
    """turns of the source that were in the record already"""
    went_on: bool
    """Whether something was said to Claude here since an earlier import: the new turns stand behind it."""
    names: Mapping[str, str]
    """tools whose names the API refuses -> what they are called here"""
    mended: int
    """turns recorded now that held half a surrogate pair, which UTF-8 cannot carry: U+FFFD stands there"""
    faults: tuple[Problem, ...]
    """what the record has wrong, so that a send would be refused: `check(repair=True)` mends it"""
    notes: tuple[HistoryProblem, ...] = ()
    """what could not be taken over as it stood"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """A conversation about to be recorded."""

    id: str
    source: SourcedConversation
    drafts: tuple[Draft, ...]
    """what the record does not hold yet"""
    known: int
    went_on: bool
    mended: int
    names: Mapping[str, str]
    there: bool
    """whether the record held such a conversation before"""


def record(
    store: Store, found: Iterable[Conversations], *, id: str | None = None, namespace: str = ""
) -> Iterator[Recorded]:
    """Record foreign conversations under their own ids, or as `id` (several: ID-1, ID-2, ...), one by one.

    `found` is gone through several times: give a list, or a `formats.Scan`, which reads its files anew.
    Raises InvalidOption, before anything is written, where an id names a conversation that the file does not continue.
    """
    names = _names(list(map(_named, found)), id)
    there = {name for name in names if _head(store, name, namespace) is not None}
    for name, one in zip(names, found if there else (), strict=False):
        if name in there:
            _pending(store, name, one, namespace)
    pairs = zip(names, found, strict=False)  # a folder may have grown since
    return (_record(store, _pending(store, name, one, namespace), namespace) for name, one in pairs)


def _sourced(one: Conversations) -> SourcedConversation:
    return one if isinstance(one, SourcedConversation) else SourcedConversation(conversation=one)


def _named(one: Conversations) -> tuple[str, str]:
    """The conversation's id, and the name of its file."""
    sourced = _sourced(one)
    return sourced.conversation.id, sourced.file.stem if sourced.file else ""


def _names(found: Sequence[tuple[str, str]], id: str | None) -> list[str]:
    """What each is called: as it is, or with the name of its file where several files use one id."""
    if id is not None:
        return [id] if len(found) == 1 else [f"{id}-{number}" for number in range(1, len(found) + 1)]
    uses = Counter(name for name, _ in found)
    several = len({stem for _, stem in found}) > 1
    names = [f"{stem}/{name}" if several and stem and uses[name] > 1 else name for name, stem in found]
    doubled = next((name for name, uses in Counter(names).items() if uses > 1), None)
    if doubled is not None:
        raise InvalidOption(f"the file names several conversations {doubled!r}; give --id", option="id", value=doubled)
    return names


def _pending(store: Store, name: str, one: Conversations, namespace: str) -> _Pending:
    source = _sourced(one)
    found = source.conversation
    head = _head(store, name, namespace)
    known = store.turns.imported(head.conversation) if head else frozenset()
    names = _legal_names(found)
    drafts = tuple(_drafts(name, found.turns, names))
    _reject_other(name, head, known, drafts)
    new = tuple(_without(draft, known) for draft in drafts if not known.issuperset(draft.source))
    return _Pending(
        id=name,
        source=source,
        drafts=new,
        known=sum(known.issuperset(draft.source) for draft in drafts),
        went_on=bool(head and head.requests and new),
        names=names,
        mended=sum(_whole(dumps(turn.content)) != dumps(turn.content) for turn in found.turns) if new else 0,
        there=head is not None,
    )


def _head(store: Store, name: str, namespace: str) -> Head | None:
    try:
        return store.branches.open(namespace=namespace, id=name, create=False)
    except NotFound:
        return None


def _legal_names(found: ImportedConversation) -> dict[str, str]:
    """New names of the tools whose own the API refuses, each used by one tool."""
    used = dict.fromkeys(str(tool.get("name")) for tool in found.tools_called)
    names: dict[str, str] = {}
    for name in used:
        if not NAME.fullmatch(name):
            names[name] = free_id(name[:LONGEST], {*used, *names.values()})
    return names


def _renamed(block: Block, names: Mapping[str, str]) -> Block:
    given = block.get("name")
    return {**block, "name": names[given]} if isinstance(given, str) and given in names else block


def _drafts(name: str, turns: Iterable[ImportedTurn], names: Mapping[str, str]) -> Iterator[Draft]:
    """Turns to record. A block is known by its role, its content and how often that came before."""
    uses = Counter[str]()
    for number, turn in enumerate(turns):
        source = []
        for block in turn.content:
            key = hashlib.sha256(f"{turn.role}:{_whole(dumps(block))}".encode()).hexdigest()[:24]
            uses[key] += 1
            source.append(f"{key}.{uses[key]}")
        if source:
            blocks = [_renamed(block, names) if block.get("type") == "tool_use" else block for block in turn.content]
            yield Draft(
                role=turn.role,
                content=_whole(dumps(blocks)),
                at=turn.at,
                speaker=turn.speaker,
                source=tuple(source),
                used=_used(turn, f"{name}/{number}"),
            )


def _used(turn: ImportedTurn, place: str) -> UsedElsewhere | None:
    """What the request behind a reply used, where the source tells; it is known by the reply's id, or by its place."""
    if turn.role != "assistant" or not turn.usage:
        return None
    usage, told = Usage.billed(turn.usage), turn.meta.get("cost")
    if not (usage.prompt or usage.output):
        return None
    model = turn.model or "unknown"
    cost = float(told) if isinstance(told, int | float) else dollars(model, usage)
    return UsedElsewhere(
        key=_whole(turn.id or place), model=_whole(model), usage=usage, wire=_whole(dumps(dict(turn.usage))), cost=cost
    )


def _whole(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _without(draft: Draft, known: frozenset[str]) -> Draft:
    """The part of a turn that is new: the rest of it may have been recorded before it was whole."""
    new = [(block, key) for block, key in zip(draft.blocks, draft.source, strict=True) if key not in known]
    return replace(draft, content=dumps([block for block, _ in new]), source=tuple(key for _, key in new))


def _reject_other(name: str, head: Head | None, known: frozenset[str], drafts: Iterable[Draft]) -> None:
    if head is None or not head.seq:
        return
    if not known:
        problem = f"conversation {name!r} is there already"
    elif not known <= {key for draft in drafts for key in draft.source}:
        problem = f"conversation {name!r} was imported with turns that this branch of the file does not hold"
    else:
        return
    raise InvalidOption(f"{problem}; give the import another --id (id=)", option="id", value=name)


def _record(store: Store, one: _Pending, namespace: str) -> Recorded:
    found = one.source.conversation
    brought = [_renamed(tool, one.names) for tool in found.tools]
    system, tools = json.loads(_whole(dumps([found.system or None, brought or None])))
    with Conversation(store, id=one.id, namespace=namespace, system=system, tools=tools) as chat:
        turns = chat.extend(one.drafts) if one.drafts else ()
        problems = record_problems(chat.history(), chat.card)
    _describe(store, one, namespace)
    return Recorded(
        id=one.id,
        format=one.source.format,
        turns=tuple(turns),
        known=one.known,
        went_on=one.went_on,
        names=one.names,
        mended=one.mended,
        faults=tuple(problem for problem in problems if not is_note(problem)),
        notes=found.notes,
    )


def _describe(store: Store, one: _Pending, namespace: str) -> None:
    """Its title, where it comes from, and what was said of it: for the app that shows it."""
    source, found = one.source, one.source.conversation
    facts = {
        "source": source.file.path.name if source.file else None,
        "format": source.format or None,
        "project": found.meta.get("project"),
        "remarks": [_whole(note.text) for note in found.notes[:REMARKS]],
    }
    told = {name: value for name, value in facts.items() if value}
    if told or found.title is not None:
        before = store.describe(one.id, namespace=namespace).metadata if one.there else {}
        title = _whole(found.title) if found.title is not None else None
        store.describe(one.id, namespace=namespace, title=title, metadata={**before, **told} or None)
