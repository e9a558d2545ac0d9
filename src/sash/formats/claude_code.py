"""Claude Code transcripts: one event a row, made into the API messages that were sent and received.

Every said turn once, in order: messages split over rows are merged with the usage of the last, results of one message's
tool calls become one user turn, prompts typed while Claude worked stand where they were handed over. A file may hold
several sessions, each a conversation; of a session's rewound branches the last, or each (`branches="last"` or `"all"`).
What is left out is named in a note: sub-agents (sidechains) inside a session, meta rows, the program's own messages,
prompts that were never sent; a file that is nothing but a sidechain is read as its own session.

Not in the file: system prompt, tools, hidden reminders (their size shows in usage), the calls that made
summaries. `output_tokens` may be the placeholder of a stream's start: trust the prompt side of a usage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sash.formats import claude_rows as rows
from sash.formats.claude_queue import Queue, Typed, queue
from sash.formats.claude_session import Path, SessionFile
from sash.formats.legality import HistoryProblem
from sash.formats.reading import Field, document, lines
from sash.formats.trees import check_branches, left_on_branches
from sash.formats.values import ImportedConversation, ImportedTurn, text_block, with_notes

Branches = Literal["last", "all"]

_LOGLINES = re.compile(r"\s*\{\s*\"loglines\"")
_NAMED = 5
"""Lines and prompts that a note names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
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
    return any(rows.recognises(value) for value in sample)


def parse(text: str, *, path: str = "<text>", branches: Branches = "last") -> tuple[ImportedConversation, ...]:
    """The sessions of a transcript: of each the branch it ended on, or one conversation per branch.

    Raises InvalidImport that names path, line and field; InvalidOption for another `branches`.
    """
    check_branches(branches)
    found = [document(text, path)] if _LOGLINES.match(text) else lines(text, path)
    transcript = _Transcript(list(rows.normal(found)))
    if not transcript.session.nodes:
        raise Field(None, path).fail("the transcript holds no message")
    damaged = () if isinstance(found, list) else found.damaged
    return with_notes(transcript.conversations(branches), (*damaged, *transcript.notes()))


def requests(conversation: ImportedConversation) -> tuple[LoggedRequest, ...]:
    """The API calls behind an imported session, in order: what each sent, used, and which one it continues."""
    calls: list[LoggedRequest] = []
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
    reply: ImportedTurn, prompt: Sequence[ImportedTurn], after: str | None, before: LoggedRequest | None
) -> LoggedRequest | None:
    """The call behind a reply; None without usage, or where nothing that was said to it is in the file."""
    if reply.usage is None or not prompt or prompt[-1].role != "user":
        return None
    at = prompt[-1].at or 0.0
    return LoggedRequest(
        id=reply.id or "",
        at=at,
        answered=reply.at or at,
        model=reply.model,
        usage=reply.usage,
        prompt=tuple(turn.id or "" for turn in prompt),
        after=after,
        gap=at - before.at if before else None,
    )


@dataclass
class _Transcript:
    """A file: its messages, its branches, and what is to be said about it."""

    events: list[Field]
    session: SessionFile = field(init=False)
    queues: dict[str, Queue] = field(init=False)
    """The prompts typed while Claude worked, by session."""
    typed: dict[str, list[ImportedTurn]] = field(init=False, default_factory=dict)
    """Node -> the prompts that were handed over behind it."""

    def __post_init__(self) -> None:
        self.session = SessionFile.read(self.events)
        self.queues = dict(self._queues())
        for name, found in self.queues.items():
            for prompt in found.sent:
                self._place(prompt, name)

    def _queues(self) -> Iterator[tuple[str, Queue]]:
        operations: dict[str, list[Field]] = {}
        for event in self.events:
            if event.get("type") == "queue-operation":
                operations.setdefault(str(event.get("sessionId", "")), []).append(event)
        said = frozenset(self.session.texts())
        for name, found in operations.items():
            yield name, queue(found, said)

    def _place(self, prompt: Typed, session: str) -> None:
        at = prompt.row["timestamp"].time() if prompt.row.has("timestamp") else None
        place = next(index for index, event in enumerate(self.events) if event is prompt.row)
        anchor = self.session.anchor(at, place, session)
        if anchor is not None:
            said = [text_block(prompt.text)]
            turn = ImportedTurn(role="user", content=said, at=at, id=f"queued-{place}", meta={"queued": True})
            self.typed.setdefault(anchor, []).append(turn)

    def conversations(self, branches: Branches) -> Iterator[ImportedConversation]:
        """One for each session, or for each branch of each."""
        groups: dict[str, list[Path]] = {}
        for leaf in self.session.leaves:
            path = self.session.path(leaf)
            groups.setdefault(self._name(path), []).append(path)
        title = rows.title(self.events) if len(groups) == 1 else None
        for name, paths in groups.items():
            held = {node for path in paths for node, _ in path}
            for number, path in enumerate(paths, 1):
                last = path is paths[-1]
                if last or branches == "all":
                    elsewhere = 0 if branches == "all" else len(held) - len(path)
                    own = title or rows.title(self._rows_of(name))
                    yield self._conversation(name if last else f"{name}#{number}", own, path, elsewhere)

    def _name(self, path: Path) -> str:
        first = self.session.nodes[path[0][0]].rows[0]
        return "/".join(filter(None, [str(first.get("sessionId", "session")), first.get("agentId")]))

    def _rows_of(self, session: str) -> list[Field]:
        return [event for event in self.events if event.get("sessionId") == session]

    def _conversation(self, id: str, title: str | None, path: Path, elsewhere: int) -> ImportedConversation:
        turns: list[ImportedTurn] = []
        for name, boundary in path:
            turns += [self.session.nodes[name].turn(boundary), *self.typed.get(name, ())]
        first = self.session.nodes[path[0][0]].rows[0]
        return ImportedConversation(
            id=id,
            title=title,
            turns=tuple(turns),
            notes=(left_on_branches(elsewhere),) if elsewhere else (),
            meta={
                "version": first.get("version"),
                "skipped": dict(self.session.skipped),
                **({"project": first.get("cwd")} if first.has("cwd") else {}),
            },
        )

    def notes(self) -> Iterator[HistoryProblem]:
        """What of the file is no turn, or not where it said."""
        session = self.session
        gone = [f"{session.skipped[kind]} {words}" for kind, words in rows.LEFT_OUT.items() if session.skipped[kind]]
        if gone:
            yield HistoryProblem(text=f"messages left out: {', '.join(gone)}")
        if session.copies:
            yield HistoryProblem(text=f"{session.copies} rows or blocks were logged twice; read once")
        if session.astray:
            named = ", ".join(map(str, session.astray[:_NAMED])) + (", ..." if len(session.astray) > _NAMED else "")
            text = (
                f"{len(session.astray)} rows name a parent that is not in the file, and follow the row before: {named}"
            )
            yield HistoryProblem(text=text)
        unsent = [prompt.text for found in self.queues.values() for prompt in found.unsent]
        if unsent:
            named = "; ".join(repr(" ".join(text.split())[:60]) for text in unsent[:_NAMED])
            yield HistoryProblem(
                text=f"{len(unsent)} prompts waited in the queue and were never sent to Claude; left out: {named}"
            )


__all__ = ["Branches", "LoggedRequest", "parse", "recognises", "requests"]
