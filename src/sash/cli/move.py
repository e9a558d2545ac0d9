"""`sash export`, `sash import`: conversations out of a database and into one.

Out: for the API, for people, for other programs (`sash.formats.writing`). In: every format that `sash.formats` reads,
one transaction for each conversation, so that a file is never half there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from sys import maxsize
from typing import IO

import click
from rich.progress import Progress

from sash import formats
from sash.cli.common import console, find, namespace, one_line, progress_bar
from sash.cli.database import DATABASE, NEW_DATABASE, open_database
from sash.cli.look import page_of
from sash.conversation.exports import recorded
from sash.conversation.imports import Recorded, record
from sash.errors import InvalidOption
from sash.formats import ImportedConversation, SourcedConversation
from sash.model.values import counted
from sash.stores import Store

BRANCHES = click.Choice(["last", "best", "all"])
"""Which branches of a recording are read."""
FORMATS = (*formats.WRITERS, "html")
"""How an export may be written."""
Writers = Mapping[str, Callable[[ImportedConversation], str]]
REMARKS = 20
"""Remarks of an import that are shown."""
HELD = 64 * 2**20
"""Bytes of files whose conversations are held while they are recorded; more are read again."""


@click.command(short_help="Write conversations as JSON, Markdown or a page")
@click.argument("database", type=DATABASE)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("-o", "--output", type=click.File("wb", atomic=True), default="-", help="A file [stdout]")
@click.option(
    "--format",
    "format",
    type=click.Choice(FORMATS),
    help="How it is written [default: as the file's name ends: .json, .jsonl, .md, .html; else claude]",
)
def export(database: str, ids: tuple[str, ...], output: IO[bytes], format: str | None) -> None:
    """Write the conversation ID; several, or all, one a line with --format jsonl or openai.

    claude is a body of the Messages API, openai one of chat completions. All but openai hold everything, and sash
    import reads each of them back.
    """
    format = format or formats.ENDINGS.get(Path(str(getattr(output, "name", "-"))).suffix, "claude")
    with closing(open_database(database)) as store:
        named = ids or tuple(one.id for one in store.conversations(namespace=namespace(), limit=maxsize))
        if len(named) != 1 and format not in formats.LINES:
            problem = f"{format} holds one conversation, and {len(named)} are meant; name one, or use --format jsonl"
            raise InvalidOption(problem, option="ID", value=list(named[:5]))
        writer = formats.LINES if len(named) > 1 else formats.WRITERS
        with progress_bar() as progress:
            for id in progress.track(named, description="writing"):
                found = recorded(store, id, namespace=namespace())
                output.write(_written(store, replace(found, notes=()), format, writer).encode())
                _remark([note.text for note in found.notes] + _lost(found, format))


def _written(store: Store, found: ImportedConversation, format: str, writers: Writers) -> str:
    """The conversation in a format, with a line end behind it."""
    if format == "html":
        return page_of(store, find(store, found.id), found.id, carried=found)
    text = writers[format](found)
    return text if text.endswith("\n") else f"{text}\n"


def _lost(found: ImportedConversation, format: str) -> list[str]:
    lost = formats.lost(found, format)
    return [f"{found.id}: the format has no place for {', '.join(lost)}"] if lost else []


def write_new(path: Path, store: Store, id: str) -> None:
    """Write a conversation into a new file, as its name ends: .json and .jsonl for messages of the API, .md, .html.

    Raises InvalidOption for another ending, a file that is there, and one that cannot be written; NotFound.
    """
    format = formats.ENDINGS.get(path.suffix)
    if format is None:
        problem = f"{path.name}: name a file that ends with {', '.join(formats.ENDINGS)}"
        raise InvalidOption(problem, option="file", value=str(path))
    found = replace(recorded(store, id, namespace=namespace()), notes=())
    text = _written(store, found, format, formats.WRITERS)
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        why = "is there already; name a new file" if isinstance(error, FileExistsError) else error.strerror
        raise InvalidOption(f"{path} {why}", option="file", value=str(path)) from error


@click.command(name="import", short_help="Record conversations that were held elsewhere")
@click.argument("database", type=NEW_DATABASE)
@click.argument("file")
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
@click.option(
    "--branches",
    type=BRANCHES,
    help="Of a file with branches: the last or the best one, or each as a conversation of its own "
    "[default: the one that the source shows]",
)
def import_(database: str, file: str, format: str, id: str | None, branches: str | None) -> None:
    """Record the conversations of FILE, with their times, in DATABASE; of one that has grown, what is new.

    FILE may be a folder, a glob in quotation marks, or a .zip: what is no recording in it is named, the rest is read.
    """
    found = formats.Scan(file, None if format == "auto" else format, branches)
    with progress_bar() as progress:
        held, size = _looked_through(found, progress)
        with closing(open_database(database)) as store:
            pending = record(store, found if held is None else held, id=id, namespace=namespace())
            task = progress.add_task("importing", total=size if held is None else len(held))
            found.progress = lambda read: progress.advance(task, read)
            done = []
            for one in pending:
                done.append((replace(one, turns=()), len(one.turns)))  # of a large file not all are held
                progress.advance(task, 0 if held is None else 1)
    _report([one for one, _ in done], sum(turns for _, turns in done))
    _remark([*map(str, found.left_out), *_notes([one for one, _ in done])])
    _say_faults([one for one, _ in done])


def _notes(done: Sequence[Recorded]) -> Iterator[str]:
    """The remarks on conversations, with their ids where there are several."""
    for one in done:
        yield from (f"{one.id}: {note.text}" if len(done) > 1 else note.text for note in one.notes)


def _looked_through(found: formats.Scan, progress: Progress) -> tuple[list[SourcedConversation] | None, int]:
    """Read everything before a database is made: what is wrong is told first.

    The conversations, or None where there are too many to be held and they have to be read again; how many bytes there
    are.
    """
    task = progress.add_task("reading", total=None)
    held: list[SourcedConversation] = []
    read = 0

    def advance(size: int) -> None:
        nonlocal read
        read += size
        progress.update(task, completed=read)

    found.progress = advance
    for one in found:
        if read <= HELD:
            held.append(one)
        else:
            held.clear()
    progress.remove_task(task)
    found.progress = lambda _: None
    return (held if read <= HELD else None), read


def _report(recorded: Sequence[Recorded], turns: int) -> None:
    known = sum(one.known for one in recorded)
    shown = ", ".join(one.id for one in recorded[:5]) + (", ..." if len(recorded) > 5 else "")
    before = f"; {known:,} were there already" if known else ""
    kinds = ", ".join(dict.fromkeys(one.format for one in recorded))
    _say(f"{counted(turns, 'turn')} of {counted(len(recorded), 'conversation')} recorded ({kinds}): {shown}{before}")
    mended = sum(one.mended for one in recorded)
    if mended:
        _say(f"{counted(mended, 'turn')} held half of a character (a lone surrogate); \ufffd stands there", "yellow")
    for old, new in {old: new for one in recorded for old, new in one.names.items()}.items():
        _say(f"the tool {one_line(old, 60)!r} is called {new} here: the API refuses its name", "yellow")
    for one in recorded:
        if one.went_on:
            _say(f"{one.id} went on here since the last import; the new turns stand behind that", "yellow")


def _remark(remarks: Sequence[str]) -> None:
    """What could not be taken over as it stood, each by name."""
    for text in remarks[:REMARKS]:
        _say(one_line(text, 300), "yellow")
    if len(remarks) > REMARKS:
        _say(f"... and {counted(len(remarks) - REMARKS, 'more remark')}", "yellow")


def _say_faults(recorded: Sequence[Recorded]) -> None:
    """How much is wrong with what stands in the record now, as `sash check` finds it."""
    faults = [fault for one in recorded for fault in one.faults]
    if faults:
        first = one_line(faults[0].message, 200)
        _say(f"{counted(len(faults), 'fault')} that sash check --repair mends, the first: {first}", "yellow")


def _say(text: str, style: str = "") -> None:
    console(stderr=True).print(text, soft_wrap=True, markup=False, style=style)
