"""Claude Code transcripts: one event a line, made into the API messages that were sent and received.

An API message is split over several lines with one `message.id`: merged here, with the usage of the last.
Results of one message's tool calls become one user turn. Lines are linked by `parentUuid`: rewound
branches are told apart (`branches="last"` or `"all"`). Sub-agents (sidechains) inside a session, meta and
progress lines are left out and counted; a file that is nothing but a sidechain is read as its own session.

Not in the file: system prompt, tools, hidden reminders (their size shows in usage), the calls that made
summaries. `output_tokens` may be the placeholder of a stream's start: trust the prompt side of a usage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from sash.errors import InvalidOption
from sash.formats.legality import Problem
from sash.formats.messages import blocks_of
from sash.formats.reading import Field, lines
from sash.formats.values import Block, ImportedConversation, ImportedTurn, Role

Branches = Literal["last", "all"]

_BOUNDARIES = ("compact_boundary", "microcompact_boundary")
_SYNTHETIC = "<synthetic>"  # the model named on messages that the program itself wrote: no API call stands behind them


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One API call of a session, as far as the transcript tells. Times are unix seconds."""

    id: str
    """The id of the reply (`message.id`)."""
    at: float
    """When it was sent: the time of the newest turn of its prompt."""
    answered: float
    """When the first block of the reply was complete."""
    model: str | None
    usage: Mapping[str, Any]
    prompt: tuple[str, ...]
    """Ids of the turns in its prompt, in order, back to the start or the last compaction."""
    after: str | None
    """The id of the request whose prompt and reply this prompt continues; None where none is known."""
    gap: float | None
    """Seconds since the request before it in this conversation was sent, compactions included."""


def recognises(sample: Sequence[Field]) -> bool:
    """Whether the values are transcript events."""
    return any(value.has("sessionId") and value.has("uuid") and value.has("type") for value in sample)


def parse(text: str, *, path: str = "<text>", branches: Branches = "last") -> tuple[ImportedConversation, ...]:
    """The session of a transcript: the branch it ended on, or one conversation per branch.

    Raises InvalidImport that names path, line and field; InvalidOption for another `branches`.
    """
    if branches not in ("last", "all"):
        raise InvalidOption(f"branches is 'last' or 'all', not {branches!r}", option="branches", value=branches)
    session = _Session.read(lines(text, path))
    if not session.nodes:
        raise Field(None, path).fail("the transcript holds no message")
    leaves = session.leaves if branches == "all" else [session.last]
    return tuple(session.conversation(leaf, number) for number, leaf in enumerate(leaves, 1))


def requests(conversation: ImportedConversation) -> tuple[Request, ...]:
    """The API calls behind an imported session, in order: what each sent, used, and which one it continues."""
    calls: list[Request] = []
    prompt: list[ImportedTurn] = []
    after: str | None = None
    for turn in conversation.turns:
        if "compaction" in turn.meta:
            prompt, after = (prompt if turn.meta["compaction"]["partial"] else []), None
        if turn.role == "assistant":
            call = _request(turn, prompt, after, calls[-1] if calls else None)
            calls += [call] if call else []
            after = call.id if call else None
        prompt.append(turn)
    return tuple(calls)


def _request(
    reply: ImportedTurn, prompt: Sequence[ImportedTurn], after: str | None, before: Request | None
) -> Request | None:
    """The call behind a reply; None without usage, or where nothing that was said to it is in the file."""
    if reply.usage is None or not prompt or prompt[-1].role != "user":
        return None
    at = prompt[-1].at or 0.0
    return Request(
        id=reply.id or "",
        at=at,
        answered=reply.at or at,
        model=reply.model,
        usage=reply.usage,
        prompt=tuple(turn.id or "" for turn in prompt),
        after=after,
        gap=at - before.at if before else None,
    )


@dataclass(slots=True)
class _Node:
    """One API message, gathered from its lines."""

    role: Role
    lines: list[Field] = field(default_factory=list)
    content: list[Block] = field(default_factory=list)

    def add(self, line: Field) -> None:
        self.lines.append(line)
        self.content += blocks_of(line["message"]["content"])

    @property
    def message(self) -> Mapping[str, Any]:
        """The message of the last line: the one whose usage counts."""
        message: Mapping[str, Any] = self.lines[-1]["message"].object()
        return message

    @property
    def name(self) -> str:
        return str(self.message.get("id") or self.lines[0]["uuid"].text())

    @property
    def at(self) -> float | None:
        """First block complete, for a reply; last result in, for what goes out."""
        times = [line["timestamp"].time() for line in self.lines if line.has("timestamp")]
        return (min(times) if self.role == "assistant" else max(times)) if times else None

    def turn(self, boundary: Field | None) -> ImportedTurn:
        """The turn it becomes; `boundary` is the compaction it follows, if any."""
        meta: dict[str, Any] = {"lines": [line["uuid"].value for line in self.lines]}
        if boundary is not None:
            meta["compaction"] = _compaction(boundary)
        if self.lines[0].get("isCompactSummary"):
            meta["summary"] = True
        reply = self.role == "assistant"
        return ImportedTurn(
            role=self.role,
            content=self.content,
            at=self.at,
            id=self.name,
            usage=self.message.get("usage") if reply else None,
            model=self.message.get("model") if reply else None,
            meta=meta,
        )


def _compaction(boundary: Field) -> dict[str, Any]:
    details = boundary.get("compactMetadata") or boundary.get("microcompactMetadata") or {}
    return {
        "trigger": details.get("trigger"),
        "tokens_before": details.get("preTokens"),
        "partial": boundary.get("subtype") != "compact_boundary",
    }


@dataclass
class _Session:
    """All messages of a file and how they hang together. A node is named by its first line's uuid."""

    events: dict[str, Field] = field(default_factory=dict)
    """Every line that has a uuid, for the links."""
    nodes: dict[str, _Node] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)
    """Line uuid -> node."""
    results: dict[str, str] = field(default_factory=dict)
    """Node with tool calls -> node with their results."""
    compacted: dict[str, str] = field(default_factory=dict)
    """Compaction boundary -> line that the file has before it."""
    skipped: Counter[str] = field(default_factory=Counter)
    title: str | None = None

    @classmethod
    def read(cls, events: Sequence[Field]) -> _Session:
        session = cls()
        own = all(event.get("isSidechain") for event in events if _speaks(event))
        opened: dict[str, str] = {}  # message id or tool call id -> node
        for event in events:
            if event.has("summary") and event.get("type") == "summary":
                session.title = event["summary"].text()
            if event.has("uuid") and event["uuid"].text() not in session.events:
                session._link(event)
                session._take(event, own, opened)
            elif not event.has("uuid"):
                session.skipped[str(event.get("type"))] += 1
        return session

    def _link(self, event: Field) -> None:
        uuid = event["uuid"].text()
        if event.get("subtype") in _BOUNDARIES and self.owner:
            self.compacted[uuid] = next(reversed(self.owner))
        self.events[uuid] = event

    def _take(self, event: Field, own: bool, opened: dict[str, str]) -> None:
        reason = _skip(event, own)
        if reason:
            self.skipped[reason] += 1
            return
        role: Role = "assistant" if event["type"].text() == "assistant" else "user"
        uuid = event["uuid"].text()
        name = self._node_for(event, role, opened)
        self.nodes.setdefault(name, _Node(role)).add(event)
        self.owner[uuid] = name
        for block in self.nodes[name].content:
            if block.get("type") == "tool_use":
                opened[block["id"]] = name

    def _node_for(self, event: Field, role: Role, opened: dict[str, str]) -> str:
        """The node that a line belongs to: its message's, that of its calls' results, or one of its own."""
        uuid = event["uuid"].text()
        if role == "assistant":
            return opened.setdefault(event["message"]["id"].text(), uuid)
        answered = [opened[id] for id in _answers(event) if id in opened]
        return self.results.setdefault(answered[0], uuid) if answered else uuid

    def _before(self, name: str) -> tuple[str | None, Field | None]:
        """The node before this one, and the compaction between the two, if any."""
        boundary: Field | None = None
        seen: set[str] = set()
        uuid = self.nodes[name].lines[0].get("parentUuid")
        while uuid in self.events and uuid not in seen:
            if uuid in self.owner:
                return self._with_results(self.owner[uuid], name), boundary
            seen.add(uuid)
            event = self.events[uuid]
            boundary = event if event.get("subtype") in _BOUNDARIES else boundary
            uuid = event.get("parentUuid") or self._across(event)
        return None, boundary

    def _across(self, event: Field) -> str | None:
        """What a compaction summarised last; the line it names is not always in the file."""
        named = event.get("logicalParentUuid")
        return named if named in self.events else self.compacted.get(event["uuid"].text())

    def _with_results(self, before: str, name: str) -> str:
        """`before`, or the results of its calls: parallel calls hang side by side below one message."""
        result = self.results.get(before, before)
        return before if result == name or self.place[result] > self.place[name] else result

    @cached_property
    def place(self) -> dict[str, int]:
        """Each node's place in the file."""
        return {name: index for index, name in enumerate(self.nodes)}

    @cached_property
    def parents(self) -> dict[str, tuple[str | None, Field | None]]:
        return {name: self._before(name) for name in self.nodes}

    @property
    def last(self) -> str:
        """The node that the file ends on."""
        return next(reversed(self.nodes))

    @property
    def leaves(self) -> list[str]:
        """Nodes that nothing follows; the last one is where the session ended."""
        followed = {parent for parent, _ in self.parents.values()}
        return [name for name in self.nodes if name not in followed]

    def path(self, leaf: str) -> list[tuple[str, Field | None]]:
        """From the start to a leaf: each node with the compaction before it."""
        found: dict[str, Field | None] = {}
        name: str | None = leaf
        while name is not None and name not in found:
            before, found[name] = self.parents[name]
            name = before
        return list(reversed(found.items()))

    def conversation(self, leaf: str, number: int) -> ImportedConversation:
        path = self.path(leaf)
        first = self.nodes[path[0][0]].lines[0]
        names = [str(first.get("sessionId", "session")), first.get("agentId")]
        id = "/".join(filter(None, names)) if leaf == self.last else f"{'/'.join(filter(None, names))}#{number}"
        elsewhere = len(self.nodes) - len(path)
        text = f"{elsewhere} turns on other branches are left out; branches='all' reads them"
        return ImportedConversation(
            id=id,
            title=self.title,
            turns=tuple(self.nodes[name].turn(boundary) for name, boundary in path),
            notes=(Problem(text=text),) if elsewhere else (),
            meta={"version": first.get("version"), "skipped": dict(self.skipped)},
        )


def _speaks(event: Field) -> bool:
    return event.get("type") in ("user", "assistant") and event.has("message")


def _skip(event: Field, own: bool) -> str | None:
    """Why a line is no message of this conversation, or None."""
    if not _speaks(event):
        return str(event.get("subtype") or event.get("type"))
    if event.get("isSidechain") and not own:
        return "sidechain"
    if event.get("isMeta"):
        return "meta"
    return "synthetic" if event["message"].get("model") == _SYNTHETIC else None


def _answers(event: Field) -> Iterator[str]:
    """Ids of the tool calls that a user line answers."""
    content = event["message"]["content"]
    for block in content.each() if isinstance(content.value, list) else ():
        if block.get("type") == "tool_result":
            yield block["tool_use_id"].text()


__all__ = ["Branches", "Request", "parse", "recognises", "requests"]
