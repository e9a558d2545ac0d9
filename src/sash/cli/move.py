"""`sash export`, `sash import`: conversations out of a database and into one.

Out: Anthropic-style JSON that the API takes as it stands. In: every format that `sash.formats` reads, one
transaction for each conversation, so that a file is never half there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import click
from rich.progress import Progress, TaskID

from sash import formats
from sash.cli.common import DATABASE, console, find, namespace, one_line, open_database, turns_of
from sash.errors import InvalidOption
from sash.flows.steps import AppendTurns, Head, OpenConversation, ReadTurns
from sash.formats import ImportedConversation, ImportedTurn
from sash.model.blocks import dumps
from sash.model.turns import Draft, Turn
from sash.planning.rules import sendable
from sash.stores import Store

PAGE = 500
"""Turns read at a time."""


@click.command()
@click.argument("database", type=DATABASE)
@click.argument("id")
@click.option("-o", "--output", type=click.File("wb", atomic=True), default="-", help="A file [stdout]")
def export(database: str, id: str, output: IO[bytes]) -> None:
    """Write the conversation ID as Anthropic-style JSON messages."""
    with closing(open_database(database)) as store:
        head = find(store, id)
        turns = list(_read_all(store, head))
        output.write(f"{formats.dump(_exported(store, head, id, turns))}\n".encode())
    left_out = sum(turn.state == "withdrawn" for turn in turns)
    if left_out:
        console(stderr=True).print(f"{left_out} withdrawn turns left out: the API would refuse them")


def _read_all(store: Store, head: Head) -> Iterator[Turn]:
    with _progress() as progress:
        task = progress.add_task("reading", total=head.seq)
        for after in range(0, head.seq, PAGE):
            page = store.read_turns(ReadTurns(conversation=head.conversation, after=after, limit=PAGE))
            yield from page
            progress.advance(task, len(page))


def _exported(store: Store, head: Head, id: str, turns: Sequence[Turn]) -> ImportedConversation:
    info = store.describe(id, namespace=namespace())
    system, tools = _preamble(head, info.metadata)
    return ImportedConversation(
        id=id,
        title=info.title,
        system=system,
        tools=tuple(tools),
        turns=tuple(_exported_turn(turn, blocks) for turn in turns if (blocks := _blocks(turn))),
    )


def _blocks(turn: Turn) -> list[dict[str, Any]]:
    """What may be sent of a turn: nothing of a withdrawn one, the finished text of an interrupted one."""
    if turn.state == "withdrawn":
        return []
    return list(sendable(turn.blocks, interrupted=turn.state == "interrupted"))


def _exported_turn(turn: Turn, blocks: list[dict[str, Any]]) -> ImportedTurn:
    return ImportedTurn(role=turn.role, content=blocks, at=turn.at, speaker=turn.speaker)


def _preamble(head: Head, metadata: Any) -> tuple[Any, Sequence[Any]]:
    """System prompt and tools last in force, or those that came with an import."""
    if head.epoch is None:
        return metadata.get("system"), metadata.get("tools") or ()
    found = head.epoch.preamble
    return list(found.system_blocks) or None, found.tool_list


@click.command(name="import")
@click.argument("database", type=click.Path(dir_okay=False))
@click.argument("file", type=click.Path(exists=True))
@click.option(
    "--format",
    "format",
    type=click.Choice(["auto", *formats.FORMATS]),
    default="auto",
    show_default=True,
    help="How FILE is written.",
)
@click.option(
    "--id", "id", help="The conversation's id; with several in FILE, ID-1, ID-2, ... [default: those of FILE]"
)
def import_(database: str, file: str, format: str, id: str | None) -> None:
    """Record the conversations of FILE, with their times, in DATABASE."""
    name = formats.detect(file) if format == "auto" else format
    found = formats.read(file, name)
    names = _names(found, id)
    with closing(open_database(database)) as store:
        _reject_taken(store, names)
        with _progress() as progress:
            task = progress.add_task("importing", total=sum(len(conversation.turns) for conversation in found))
            for its, conversation in zip(names, found, strict=True):
                _record(store, its, conversation, {"source": Path(file).name, "format": name}, progress, task)
    _report(names, found, name)


def _names(found: Sequence[ImportedConversation], id: str | None) -> list[str]:
    if id is not None:
        return [id] if len(found) == 1 else [f"{id}-{number}" for number in range(1, len(found) + 1)]
    names = [conversation.id for conversation in found]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise InvalidOption(f"the file names several conversations {doubled!r}; give --id", option="id", value=doubled)
    return names


def _reject_taken(store: Store, names: Sequence[str]) -> None:
    """Before anything is written: imports never add to a conversation that has turns."""
    for name in names:
        if turns_of(store, name):
            raise InvalidOption(
                f"conversation {name!r} is there already; give the import another --id", option="id", value=name
            )


def _record(
    store: Store,
    name: str,
    conversation: ImportedConversation,
    facts: dict[str, Any],
    progress: Progress,
    task: TaskID,
) -> None:
    drafts = []
    for turn in conversation.turns:
        drafts.append(Draft(role=turn.role, content=dumps(turn.content), at=turn.at, speaker=turn.speaker))
        progress.advance(task)
    key = store.open_conversation(OpenConversation(namespace=namespace(), id=name)).conversation
    store.append_turns(AppendTurns(conversation=key, head=0, turns=tuple(drafts), at=time.time()))
    if conversation.system:
        facts["system"] = conversation.system
    if conversation.tools_called:
        facts["tools"] = list(conversation.tools_called)
    store.describe(name, namespace=namespace(), title=conversation.title, metadata=facts)


def _report(names: Sequence[str], found: Sequence[ImportedConversation], format: str) -> None:
    out = console(stderr=True)
    turns = sum(len(conversation.turns) for conversation in found)
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    out.print(
        f"{turns:,} turns of {len(found)} conversations recorded ({format}): {shown}", soft_wrap=True, markup=False
    )
    problems = [problem for conversation in found for problem in conversation.problems]
    if problems:
        text = f"{len(problems)} remarks, the first: {one_line(problems[0].text, 200)}"
        out.print(text, soft_wrap=True, markup=False, style="yellow")


def _progress() -> Progress:
    """A bar on stderr, gone when it is done; nothing where stderr is no terminal."""
    out = console(stderr=True)
    return Progress(console=out, transient=True, disable=not out.is_terminal)
