"""Foreign conversation files, made into plain values.

    conversations = read("transcript.jsonl")            # the format is found by content
    conversations = read("chats.json", "locomo")
    for found in scan("exports/"): ...                  # folders, globs and archives, one conversation at a time
    text = dump(conversations[0])                       # Anthropic-style JSON, without loss

`FORMATS` is the table of parsers; only `files` opens files. Errors are InvalidImport and name the file and the line or
field. What is imported is not judged beyond `ImportedConversation.problems`.
"""

from __future__ import annotations

from os import PathLike
from typing import Any

from sash.formats.anthropic import dump
from sash.formats.claude_code import LoggedRequest, requests
from sash.formats.files import LeftOut, PathOrPaths, SourceFile
from sash.formats.legality import HistoryProblem
from sash.formats.registry import BARE, FORMATS, SASH, Format, check_options, format_named
from sash.formats.scanning import Recognised, Scan, SourcedConversation, contents, recognise, scan
from sash.formats.values import ImportedConversation, ImportedTurn, Question, with_notes
from sash.formats.writing import ENDINGS, LINES, WRITERS, lost

__all__ = [
    "BARE",
    "ENDINGS",
    "FORMATS",
    "LINES",
    "SASH",
    "WRITERS",
    "Format",
    "HistoryProblem",
    "ImportedConversation",
    "ImportedTurn",
    "LeftOut",
    "LoggedRequest",
    "PathOrPaths",
    "Question",
    "Recognised",
    "Scan",
    "SourceFile",
    "SourcedConversation",
    "contents",
    "detect",
    "dump",
    "lost",
    "parse",
    "read",
    "recognise",
    "requests",
    "scan",
]


def parse(text: str, format: str, *, path: str = "<text>", **options: Any) -> tuple[ImportedConversation, ...]:
    """The conversations of a text in a named format. `options`: see the format's own reader.

    Raises InvalidOption for an unknown format or option, InvalidImport for a text that is not of this format.
    """
    known = format_named(format)
    check_options(known, options)
    return known.parse(text, path=path, **options)


def read(
    path: str | PathLike[str], format: str | None = None, *, branches: str | None = None
) -> tuple[ImportedConversation, ...]:
    """The conversations of a file, a folder or an archive, in the format given or else the one that is detected.

    What was left out is named in the notes of the first. Raises InvalidImport where nothing could be read.
    """
    found = list(scan(path, format, branches=branches))
    remarks = [HistoryProblem(text=_told(one, str(path))) for one in found if isinstance(one, LeftOut)]
    conversations = [one.conversation for one in found if isinstance(one, SourcedConversation)]
    return with_notes(conversations, remarks)


def _told(remark: LeftOut, path: str) -> str:
    return remark.text if remark.path == path else str(remark)


def detect(path: str | PathLike[str]) -> str:
    """The name of a file's format, by its content; of a folder, that of its first file that has one.

    Raises InvalidImport where it is none that is known.
    """
    return next(one.format for one in recognise(path) if isinstance(one, Recognised))
