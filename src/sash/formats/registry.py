"""The table of formats: how each is told by its content, and how it is read.

A format is read from a whole text (`parse`), value by value where each value of its list, or each of its lines, is a
conversation by itself (`each`), or from the tables of a SQLite database (`rows`). It opens no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sash.errors import InvalidImport, InvalidOption
from sash.formats import (
    anthropic,
    beam,
    chatgpt,
    claude_ai,
    claude_code,
    codex,
    langchain,
    langfuse,
    langsmith,
    llm_logs,
    locomo,
    longmemeval,
    markdown,
    oasst,
    openai,
    openai_agents,
    pages,
    pydantic_ai,
    swe_agent,
    tau_bench,
)
from sash.formats.legality import HistoryProblem
from sash.formats.reading import Field, invalid, members_of, shape, values
from sash.formats.values import ImportedConversation, with_notes

Read = Iterator[ImportedConversation | HistoryProblem]
"""Conversations, and remarks on what is none, as they come."""


def _nowhere(_: Sequence[Field]) -> bool:
    return False


def _everywhere(_: Sequence[Field]) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way to write conversations down."""

    name: str
    recognises: Callable[[Sequence[Field]], bool] = _nowhere
    """Whether the first values of a file are of this format."""
    whole: Callable[..., tuple[ImportedConversation, ...]] | None = None
    """(text, path=) -> the conversations of a whole text."""
    each: Callable[..., Read] | None = None
    """(value, its number) -> what one value of a list, or one line, holds."""
    one: Callable[[Sequence[Field]], ImportedConversation] | None = None
    """The conversation of a file whose values are messages."""
    apart: Callable[[Sequence[Field]], bool] = _everywhere
    """Where there is `each`: whether the values of this file are conversations, not messages."""
    rows: Callable[..., Read] | None = None
    """(connection, path) -> what a SQLite database holds."""
    tables: frozenset[str] = frozenset()
    """The tables that such a database has, at least."""
    begins: str = ""
    """What a file that is no JSON has in its first lines."""
    options: tuple[str, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)
    """Option -> name of a file in the same folder whose text it takes."""

    def parse(self, text: str, *, path: str = "<text>", **options: Any) -> tuple[ImportedConversation, ...]:
        """The conversations of a text. Raises InvalidImport where it is not of this format."""
        if self.whole is not None:
            return self.whole(text, path=path, **options)
        if self.each is None:
            raise invalid(path, f"{self.name} is no text, but a SQLite database with {', '.join(sorted(self.tables))}")
        found = values(text, path)
        members = members_of(found.fields)
        if self.one is not None and not self.apart(members):
            return with_notes([self.one(members)], found.damaged)
        read = [one for number, value in enumerate(members, 1) for one in self.each(value, number, **options)]
        remarks = [one for one in read if isinstance(one, HistoryProblem)]
        conversations = [one for one in read if isinstance(one, ImportedConversation)]
        if not conversations:
            raise no_conversation(path, remarks)
        return with_notes(conversations, (*found.damaged, *remarks))


def no_conversation(path: str, remarks: Sequence[HistoryProblem]) -> InvalidImport:
    """The error to raise about a file without conversations: the first remark says why."""
    return invalid(path, "it holds no conversation" + "".join(f"; {remark.text}" for remark in remarks[:1]))


class _MessageReader(Protocol):
    """A module that reads files of messages, and files of conversations of such messages."""

    def recognises(self, sample: Sequence[Field], /) -> bool: ...
    def apart(self, found: Sequence[Field], /) -> bool: ...
    def conversation(self, messages: Sequence[Field], /) -> ImportedConversation: ...
    def conversations(self, value: Field, number: int, /) -> Read: ...


def _of_messages(name: str, reader: _MessageReader) -> Format:
    return Format(
        name=name,
        recognises=reader.recognises,
        each=reader.conversations,
        one=reader.conversation,
        apart=reader.apart,
    )


BARE = "trace"
"""A bare trace (`sash.replay.traces`): times and sizes without words. It is recognised, and no conversation."""
SASH = "sash"
"""A record of sash's own. It is recognised, and no foreign conversation."""
_RECORD = frozenset({"conversations", "branches", "turns"})

# In the order of asking: the general shapes last, OpenAI's before Anthropic's, which is the plainer of the two.
FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        Format(name="claude_code", recognises=claude_code.recognises, whole=claude_code.parse, options=("branches",)),
        Format(name="chatgpt", recognises=chatgpt.recognises, each=chatgpt.conversations, options=("branches",)),
        Format(name="claude_ai", recognises=claude_ai.recognises, each=claude_ai.conversations, options=("branches",)),
        Format(name="codex", recognises=codex.recognises, whole=codex.parse),
        _of_messages("langchain", langchain),
        _of_messages("pydantic_ai", pydantic_ai),
        Format(name="langsmith", recognises=langsmith.recognises, whole=langsmith.parse),
        Format(name="langfuse", recognises=langfuse.recognises, whole=langfuse.parse),
        Format(name="longmemeval", recognises=longmemeval.recognises, each=longmemeval.conversations),
        Format(name="openai_agents", rows=openai_agents.conversations, tables=openai_agents.TABLES),
        Format(name="llm", rows=llm_logs.conversations, tables=llm_logs.TABLES),
        Format(name="locomo", recognises=locomo.recognises, whole=locomo.parse),
        Format(
            name="beam",
            recognises=beam.recognises,
            whole=beam.parse,
            options=("questions",),
            beside={"questions": beam.QUESTIONS},
        ),
        Format(name="tau_bench", recognises=tau_bench.recognises, whole=tau_bench.parse),
        Format(name="swe_agent", recognises=swe_agent.recognises, whole=swe_agent.parse),
        Format(name="oasst", recognises=oasst.recognises, whole=oasst.parse, options=("branches",)),
        _of_messages("openai", openai),
        _of_messages("anthropic", anthropic),
        Format(name="markdown", whole=markdown.parse, begins=markdown.MARK),
        Format(name="html", whole=pages.parse, begins=pages.MARK),
    )
}


def format_named(name: str) -> Format:
    """The format of that name. Raises InvalidOption."""
    if name not in FORMATS:
        raise InvalidOption(f"unknown format {name!r}; known are {', '.join(FORMATS)}", option="format", value=name)
    return FORMATS[name]


def check_options(format: Format, options: Iterable[str]) -> None:
    """Raise InvalidOption for an option that the format does not have."""
    unknown = sorted(set(options) - set(format.options))
    if unknown:
        takes = ", ".join(format.options) or "no options"
        problem = f"format {format.name} knows no {unknown[0]!r}; it takes {takes}"
        raise InvalidOption(problem, option=unknown[0], value=None)


def recognised(sample: Sequence[Field], path: str) -> str:
    """The name of the format of a file that begins with these values. Raises InvalidImport where none is known."""
    if sample and all(value.has("gap_s") for value in sample):
        return BARE
    for format in FORMATS.values():
        if format.recognises(sample):
            return format.name
    raise InvalidImport(
        f"{path}: not a known conversation format, but {shape(sample[0])}; if it is one "
        f"all the same, name the format: {', '.join(FORMATS)}",
        path=path,
        line=None,
    )


def recognised_beginning(head: str) -> str | None:
    """The name of the format of a file that is no JSON and begins so; None where it is none."""
    return next((format.name for format in FORMATS.values() if format.begins and format.begins in head), None)


def recognised_tables(tables: frozenset[str], path: str) -> str:
    """The name of the format of a SQLite database with these tables. Raises InvalidImport where none is known."""
    if tables >= _RECORD:
        return SASH
    for format in FORMATS.values():
        if format.tables and format.tables <= tables:
            return format.name
    held = ", ".join(sorted(tables)[:8]) or "none"
    problem = f"a SQLite database of another program (tables: {held}); export its conversations as JSON and import that"
    raise invalid(path, problem)
