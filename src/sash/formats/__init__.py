"""Foreign conversation files, made into plain values.

    conversations = read("transcript.jsonl")            # the format is found by content
    conversations = read("chats.json", "locomo")
    text = dump(conversations[0])                       # Anthropic-style JSON, without loss

`FORMATS` is the table of parsers, each a pure function of text; only `read` and `detect` open files.
Errors are InvalidImport and name the file and the line or field. What is imported is not judged beyond
`ImportedConversation.problems`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from sash.errors import InvalidImport, InvalidOption
from sash.formats import anthropic, beam, claude_code, locomo, oasst, openai, swe_agent, tau_bench
from sash.formats.anthropic import dump
from sash.formats.claude_code import LoggedRequest, requests
from sash.formats.legality import HistoryProblem
from sash.formats.reading import Field, decode, invalid, reject_database, shape, values
from sash.formats.values import ImportedConversation, ImportedTurn, Question

__all__ = [
    "FORMATS",
    "Format",
    "HistoryProblem",
    "ImportedConversation",
    "ImportedTurn",
    "LoggedRequest",
    "Question",
    "detect",
    "dump",
    "parse",
    "read",
    "requests",
]

_SAMPLE = 50  # values looked at to tell a format


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write conversations down."""

    name: str
    recognises: Callable[[Sequence[Field]], bool]
    parse: Callable[..., tuple[ImportedConversation, ...]]
    options: tuple[str, ...] = ()


# In the order of asking: the general shapes last, OpenAI's before Anthropic's, which is the plainer of the two.
FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        Format("claude_code", claude_code.recognises, claude_code.parse, ("branches",)),
        Format("locomo", locomo.recognises, locomo.parse),
        Format("beam", beam.recognises, beam.parse, ("questions",)),
        Format("tau_bench", tau_bench.recognises, tau_bench.parse),
        Format("swe_agent", swe_agent.recognises, swe_agent.parse),
        Format("oasst", oasst.recognises, oasst.parse, ("branches",)),
        Format("openai", openai.recognises, openai.parse),
        Format("anthropic", anthropic.recognises, anthropic.parse),
    )
}


def parse(text: str, format: str, *, path: str = "<text>", **options: Any) -> tuple[ImportedConversation, ...]:
    """The conversations of a text in a named format. `options`: see the format's own `parse`.

    Raises InvalidOption for an unknown format or option, InvalidImport for a text that is not of this format.
    """
    known = _format(format)
    unknown = sorted(set(options) - set(known.options))
    if unknown:
        takes = ", ".join(known.options) or "no options"
        raise InvalidOption(
            f"format {format} knows no {unknown[0]!r}; it takes {takes}", option=unknown[0], value=options[unknown[0]]
        )
    return known.parse(text, path=path, **options)


def read(path: str | PathLike[str], format: str | None = None, **options: Any) -> tuple[ImportedConversation, ...]:
    """The conversations of a file (of a folder, for BEAM), in the format given or else the one detected.

    Raises InvalidImport for a file that is missing, empty, not UTF-8, or not in the format.
    """
    place = _file(path)
    text = _text(place)
    name = format or _detected(text, str(place))
    beside = place.with_name(beam.QUESTIONS)
    if name == "beam" and "questions" not in options and beside.is_file():
        options["questions"] = _text(beside)
    return parse(text, name, path=str(place), **options)


def detect(path: str | PathLike[str]) -> str:
    """The name of the file's format, by its content. Raises InvalidImport where it is none that is known."""
    place = _file(path)
    return _detected(_text(place), str(place))


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise InvalidOption(f"unknown format {name!r}; known are {', '.join(FORMATS)}", option="format", value=name)
    return FORMATS[name]


def _file(path: str | PathLike[str]) -> Path:
    place = Path(path)
    return place / "chat.json" if place.is_dir() else place


def _text(place: Path) -> str:
    try:
        reject_database(place)
        return decode(place.read_bytes(), str(place))
    except OSError as error:
        raise invalid(str(place), f"cannot be read: {error.strerror}") from error


def _detected(text: str, path: str) -> str:
    sample = values(text, path).fields[:_SAMPLE]
    for format in FORMATS.values():
        if format.recognises(sample):
            return format.name
    raise InvalidImport(
        f"{path}: not a known conversation format, but {shape(sample[0])}; if it is one "
        f"all the same, name the format: {', '.join(FORMATS)}",
        path=path,
        line=None,
    )
