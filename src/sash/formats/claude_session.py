"""The messages of a Claude Code transcript, and how they hang together.

A message is gathered from its rows (`message.id`), results of its calls become one user turn. Rows name their parent;
where that is not in the file, or nobody names one, a row follows the row before it. A compaction follows what stood
before it in the file, whatever it names: copies of older rows, written again at a second compaction, would lead astray;
and what follows the part that it kept follows its summary. A node is named by its first row's uuid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sash.formats import claude_rows as rows
from sash.formats.messages import blocks_of
from sash.formats.reading import Field
from sash.formats.values import Block, ImportedTurn, Role
from sash.model.blocks import dumps

Path = list[tuple[str, Field | None]]
"""Nodes from the first on, each with the compaction before it."""


@dataclass(slots=True)
class Node:
    """One API message, gathered from its rows."""

    role: Role
    place: int
    """in the file"""
    session: str
    rows: list[Field] = field(default_factory=list)
    content: list[Block] = field(default_factory=list)

    def add(self, row: Field) -> bool:
        """Take a row in; whether it said anything new. A row may hold all that came before it, or be a copy."""
        blocks = blocks_of(rows.content(row))
        held = len(self.content)
        self.rows.append(row)
        if held and all(block in self.content for block in blocks):
            return False
        self.content += blocks[held:] if held and blocks[:held] == self.content else blocks
        return True

    @property
    def message(self) -> Mapping[str, Any]:
        """The message of the last row: the one whose usage counts."""
        last = self.rows[-1]
        return last["message"].object() if last.has("message") else {}

    @property
    def name(self) -> str:
        """The id of the message, else of its first row."""
        return str(self.message.get("id") or self.rows[0]["uuid"].text())

    @property
    def plain(self) -> bool:
        """Whether a person says something in it."""
        return self.role == "user" and not any(block.get("type") == "tool_result" for block in self.content)

    @property
    def at(self) -> float | None:
        """First block complete, for a reply; last result in, for what goes out."""
        times = [row["timestamp"].time() for row in self.rows if row.has("timestamp")]
        return (min(times) if self.role == "assistant" else max(times)) if times else None

    def turn(self, boundary: Field | None) -> ImportedTurn:
        """The turn it becomes; `boundary` is the compaction it follows, if any."""
        meta: dict[str, Any] = {"lines": [row["uuid"].value for row in self.rows]}
        if boundary is not None:
            meta["compaction"] = _compaction(boundary)
        if self.rows[0].get("isCompactSummary"):
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
class SessionFile:
    """All messages of a file and their links."""

    events: dict[str, Field] = field(default_factory=dict)
    """Every row that has a uuid, for the links."""
    place: dict[str, int] = field(default_factory=dict)
    """Each event's place in the file."""
    nodes: dict[str, Node] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)
    """Row uuid -> node."""
    results: dict[str, str] = field(default_factory=dict)
    """Node with tool calls -> node with their results."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Rows that are no messages, by kind."""
    copies: int = 0
    """Rows and blocks that were logged again."""
    _open: dict[tuple[str, str], str] = field(default_factory=dict)
    """Session and message id -> node that may still grow."""
    _calls: dict[str, str] = field(default_factory=dict)
    """Tool call id -> node."""
    _said: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """Session, time and content of what a person said -> node."""

    @classmethod
    def read(cls, events: Sequence[Field]) -> SessionFile:
        """Gather the messages of a file's rows."""
        session = cls()
        own = all(event.get("isSidechain") for event in events if rows.speaks(event))
        for place, event in enumerate(events):
            uuid = event.get("uuid")
            if uuid is None:
                session.skipped[str(event.get("type"))] += 1
            elif uuid in session.events:
                session.copies += 1
            else:
                session.events[uuid], session.place[uuid] = event, place
                session._take(event, uuid, own)
        return session

    def _take(self, event: Field, uuid: str, own: bool) -> None:
        reason = rows.left_out(event, own)
        if reason:
            self.skipped[reason] += 1
            return
        role, speaker = rows.role(event), str(event.get("sessionId", ""))
        name = self._node_for(event, uuid, role, speaker)
        new = name not in self.nodes
        node = self.nodes.setdefault(name, Node(role, self.place[uuid], speaker))
        self.copies += not node.add(event) if role == "assistant" or new or not node.plain else 1
        self.owner[uuid] = name
        if new and node.plain and not rows.typed(event):
            self._open = {key: open for key, open in self._open.items() if key[0] != speaker}
        for block in node.content:
            if block.get("type") == "tool_use":
                self._calls[str(block.get("id"))] = name

    def _node_for(self, event: Field, uuid: str, role: Role, speaker: str) -> str:
        """The node that a row belongs to: its message's, that of its calls' results, or one of its own."""
        if role == "assistant":
            message = event["message"].get("id") or event.get("requestId") or uuid
            return self._open.setdefault((speaker, str(message)), uuid)
        answered = [self._calls[id] for id in rows.answers(event) if id in self._calls]
        if answered:
            return self.results.setdefault(answered[0], uuid)
        if not event.has("timestamp"):
            return uuid
        return self._said.setdefault((speaker, str(event["timestamp"].value), dumps(rows.content(event).value)), uuid)

    # ---- links ----------------------------------------------------------------------------------

    @cached_property
    def _by_place(self) -> dict[str, list[tuple[int, str]]]:
        """The nodes of each session, in the order of the file."""
        found: dict[str, list[tuple[int, str]]] = {}
        for name, node in self.nodes.items():
            found.setdefault(node.session, []).append((node.place, name))
        return found

    def _last_before(self, place: int, session: str) -> str | None:
        """The node of the session that the file has before a place."""
        before = [name for at, name in self._by_place.get(session, ()) if at < place]
        return before[-1] if before else None

    @cached_property
    def _unlinked(self) -> frozenset[str]:
        """Sessions in which no message names a parent."""
        linked = {node.session for node in self.nodes.values() if node.rows[0].has("parentUuid")}
        return frozenset(self._by_place.keys() - linked)

    @cached_property
    def astray(self) -> list[int]:
        """Lines that name a parent which is not in the file."""
        firsts = [node.rows[0] for node in self.nodes.values()]
        return [row.line or 0 for row in firsts if row.has("parentUuid") and row["parentUuid"].value not in self.events]

    @cached_property
    def parents(self) -> dict[str, tuple[str | None, Field | None]]:
        """Each node's predecessor, and the compaction between the two."""
        return {name: self._parent(name) for name in self.nodes}

    def _parent(self, name: str) -> tuple[str | None, Field | None]:
        before, boundary = self._named(name)
        cut = self._newest_cut(name)
        if before is None or cut is None or boundary is not None or self.nodes[before].place > self.place[cut]:
            return before, boundary
        kept = self._segment(cut).get("tailUuid") == self.nodes[name].rows[0].get("parentUuid")
        kept = kept or self.nodes[before].place >= self._kept_from(cut)
        return (self._summary(cut, name) or before, None) if kept else (before, None)

    def _named(self, name: str) -> tuple[str | None, Field | None]:
        """The node that its row leads to, and the compaction on the way."""
        node = self.nodes[name]
        row, boundary, seen = node.rows[0], None, set[str]()
        while True:
            uuid = row.get("parentUuid")
            if uuid in self.owner:
                return self._with_results(self.owner[uuid], name), boundary
            if uuid in seen:
                return None, boundary
            if uuid not in self.events:
                return self._unnamed(row, node, name), boundary
            seen.add(uuid)
            row = self.events[uuid]
            if row.get("subtype") in rows.BOUNDARIES:
                boundary = row
                if not row.has("parentUuid"):
                    return self._before_row(row, node, name), boundary

    def _unnamed(self, row: Field, node: Node, name: str) -> str | None:
        """What a row follows that names no parent, or one that is not in the file."""
        lost = row.has("parentUuid")
        first = row is node.rows[0]
        begins = first and node.plain and not row.get("isCompactSummary") and node.session not in self._unlinked
        if not lost and begins:
            return None  # a session's first prompt, or its first one told anew
        return self._before_row(row, node, name)

    def _before_row(self, row: Field, node: Node, name: str) -> str | None:
        before = self._last_before(min(self.place[row["uuid"].text()], node.place), node.session)
        return self._with_results(before, name) if before is not None else None

    def _with_results(self, before: str, name: str) -> str:
        """`before`, or the results of its calls: parallel calls hang side by side below one message."""
        result = self.results.get(before, before)
        return before if result == name or self.nodes[result].place > self.nodes[name].place else result

    # ---- compactions ----------------------------------------------------------------------------

    @cached_property
    def _cuts(self) -> list[str]:
        return [uuid for uuid, event in self.events.items() if event.get("subtype") == "compact_boundary"]

    def _newest_cut(self, name: str) -> str | None:
        node = self.nodes[name]
        own = [
            uuid
            for uuid in self._cuts
            if self.place[uuid] < node.place and self.events[uuid].get("sessionId", "") == node.session
        ]
        return own[-1] if own else None

    def _segment(self, cut: str) -> Mapping[str, Any]:
        """The first and last of the messages that a compaction kept, as it names them."""
        details = self.events[cut].get("compactMetadata") or {}
        return details.get("preservedSegment") or {}

    def _kept_from(self, cut: str) -> int:
        """The place of the first message that a compaction kept; that of the last one before it, if it kept none."""
        event = self.events[cut]
        details = event.get("compactMetadata") or {}
        kept = [self._segment(cut).get("headUuid")]
        kept += (details.get("preservedMessages") or {}).get("uuids") or []
        places = [self.nodes[self.owner[uuid]].place for uuid in kept if uuid in self.owner]
        last = self._last_before(self.place[cut], str(event.get("sessionId", "")))
        return min([*places, self.nodes[last].place if last else self.place[cut]])

    def _summary(self, cut: str, name: str) -> str | None:
        """The summary that a compaction wrote, where it stands before the node."""
        behind = (one for one, node in self.nodes.items() if self.place[cut] < node.place < self.nodes[name].place)
        return next((one for one in behind if self.nodes[one].rows[0].get("isCompactSummary")), None)

    # ---- paths ----------------------------------------------------------------------------------

    @property
    def leaves(self) -> list[str]:
        """Nodes that nothing follows, in the order of the file."""
        followed = {parent for parent, _ in self.parents.values()}
        return [name for name in self.nodes if name not in followed] or list(self.nodes)[-1:]

    def path(self, leaf: str) -> Path:
        """From the start to a leaf."""
        found: dict[str, Field | None] = {}
        name: str | None = leaf
        while name is not None and name not in found:
            before, found[name] = self.parents[name]
            name = before
        return list(reversed(found.items()))

    def anchor(self, at: float | None, place: int, session: str) -> str | None:
        """The node after which something was said: by time, else by its place in the file; never before a result."""
        times = [
            (node.at, node.place, name) for _, name in self._by_place.get(session, ()) if (node := self.nodes[name])
        ]
        known = [
            (when, where, name) for when, where, name in times if at is not None and when is not None and when <= at
        ]
        name = max(known)[2] if known else self._last_before(place, session)
        return self.results.get(name, name) if name is not None else None

    def texts(self) -> Iterator[str]:
        """What the messages of persons say."""
        for node in self.nodes.values():
            if node.role == "user":
                yield "\n".join(block["text"] for block in node.content if block.get("type") == "text").strip()
