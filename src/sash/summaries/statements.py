"""What turns say, statement by statement, and who says it.

A statement is a sentence, or a clause of a very long one. Code, quotations and what stands inside tags count as
quoted: they are data that somebody passed on, not that person's own words. Results of tools are nobody's words. What a
sentence quotes within (`quotations.py`) stays in its text, and is left out of what is its speaker's own.
Thinking, images and other binary content say nothing here. It does not know which statements matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sash.model.blocks import Block, readable
from sash.model.patterns import late
from sash.model.turns import Turn
from sash.model.values import day
from sash.summaries.quotations import introduces, left_open, without_quotations

Speaker = Literal["user", "assistant", "tool", "summary"]
"""Whose words: the user's, the model's, a tool's result, or an earlier summary's own."""

LONG = 240
"""Characters from which a sentence is taken apart into clauses."""
CLAUSE = 160
"""Characters that a clause may have before the next one begins."""
BLOB = 400
"""Characters without a blank from which text is binary data, not words."""

_END = late(r"(?<=[.!?])[\"'”’)\]*_]*\s+|(?<=[。！？।॥۔؟])\s*")
_ABBREVIATED = late(
    r"(?:\b(?:dr|mr|mrs|ms|prof|st|mt|no|nr|vs|etc|approx|ca|dept|inc|ltd|co|jr|sr|fig|art|ext|tel|e\.g|i\.e|a\.m|p\.m|"
    r"jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec)|(?:^|[\s.(])[A-Z])\.$",
    re.I,
)
_INITIAL = late(r"(?:^|[\s.(])[A-Za-z\u00c0-\u024f\u0370-\u052f]\.$")
_PAUSE = late(r"(?<=[,;:—–])\s+|\s+(?=(?:and|but|because|so that|which|while|considering)\s)")
_FENCE = late(r"^\s*(```|~~~)")
_OPENING = late(r"^\s*<([A-Za-z][\w:-]*)(?:\s[^<>]*)?>")
_RELATIVE = late(
    r"\b(?:today|tonight|tomorrow|yesterday|ago|(?:this|next|last|past|coming) (?:morning|afternoon|evening|night|week|"
    r"weekend|month|year|spring|summer|autumn|fall|winter|monday|tuesday|wednesday|thursday|friday|saturday|sunday)|"
    r"in (?:a|an|one|two|three|four|five|six|\d+) (?:days?|weeks?|months?|years?|hours?|minutes?))\b",
    re.I,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement, in its speaker's words, with white space made even."""

    text: str
    seq: int
    speaker: Speaker
    quoted: bool = False
    listed: bool = False
    """It is an item of a list whose head `head` names."""
    head: str = ""
    on: str = ""
    """The day it was said, as YYYY-MM-DD, where its words mean nothing without it ("tomorrow")."""

    @property
    def own(self) -> str:
        """What the speaker says for himself: the text without what it quotes."""
        return "" if self.quoted else without_quotations(self.text)


def statements(turns: Sequence[Turn]) -> Iterator[Statement]:
    """All statements of turns, in their order. Instructions of role system are always in force and left out."""
    for turn in turns:
        if turn.role != "system":
            for block in turn.blocks:
                yield from _of_block(turn, block)


def _of_block(turn: Turn, block: Block) -> Iterator[Statement]:
    kind = block.get("type")
    speaker: Speaker = "assistant" if turn.role == "assistant" else "user"
    if kind == "text":
        yield from spoken(str(block.get("text") or ""), turn.seq, speaker, turn.at)
    elif kind == "tool_result" or (kind or "").endswith("_tool_result"):
        yield from _quoted(readable([block]), turn.seq, "tool")
    elif kind in ("tool_use", "server_tool_use"):
        yield from _quoted(readable([block]), turn.seq, speaker)


def _quoted(text: str, seq: int, speaker: Speaker) -> Iterator[Statement]:
    for line in text.splitlines():
        for piece in pieces(line):
            yield Statement(text=piece, seq=seq, speaker=speaker, quoted=True)


def spoken(text: str, seq: int, speaker: Speaker, at: float = 0.0) -> Iterator[Statement]:
    """The statements of a text that somebody wrote."""
    head = ""
    for line, quoted in _passed_on(_lines(text)):
        item = _LIST_ITEM.match(line)
        if not item and line.strip():
            head = line.strip() if line.rstrip().endswith((":", "：")) else ""
        within = False
        for piece in sentences(line[item.end() :] if item else line):
            on = day(at) if at and _RELATIVE.search(piece) else ""
            yield Statement(
                text=piece,
                seq=seq,
                speaker=speaker,
                quoted=quoted or within or looks_coded(piece),
                listed=bool(item),
                head=head if item else "",
                on=on,
            )
            within = left_open(piece, within)


def _passed_on(lines: Iterable[tuple[str, bool]]) -> Iterator[tuple[str, bool]]:
    """The same, the paragraph behind a line such as "Translate this:" quoted, too."""
    waiting = within = False
    for line, quoted in lines:
        blank = not line.strip()
        waiting, within = waiting and blank, (waiting or within) and not (blank and within)
        yield line, quoted or (within and not blank)
        waiting = waiting or (not within and introduces(line))


_LIST_ITEM = late(r"^\s*(?:[-*•+]|\(?\d{1,2}[.)]|\(?[a-z][.)])\s+")


_CODE = late(
    r"[;{}]\s*$|^\s*(?:import|from|def|class|return|if|for|#include|const|let|var|@\w+)\b.*[:;({]\s*$|^\s*</?\w"
)
_SIGNS = late(r"[{}()\[\]<>=;|\\]|->|::")
SIGNS = 0.06
"""Signs of code for each character, from which a line is code that stands outside of any fence."""


def looks_coded(line: str) -> bool:
    """Whether a line is code, though nothing marks it as such."""
    return bool(_CODE.search(line)) or len(_SIGNS.findall(line)) > SIGNS * len(line) + 1


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is quoted: inside a code fence or tags, or behind a quotation mark of mail."""
    fence, tag = "", ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1] == fence):
            if fence:
                yield line[mark.end() :], False
            fence = "" if fence else mark[1]
            continue
        opening = _OPENING.match(line) if not (fence or tag) else None
        if opening and f"</{opening[1]}>" in text:
            tag = opening[1]
        yield line, bool(fence or tag) or line.lstrip().startswith(">")
        if tag and f"</{tag}>" in line:
            tag = ""


def sentences(line: str) -> Iterator[str]:
    """The sentences of a line, white space made even; what has no words falls away."""
    start = 0
    for gap in _END.finditer(line):
        if not _unfinished(line[start : gap.start()]):
            yield from _even(line[start : gap.end()])
            start = gap.end()
    yield from _even(line[start:])


def _unfinished(text: str) -> bool:
    """Whether the stop at its end belongs to an abbreviation or an initial."""
    tail = text[-12:]
    return bool(_ABBREVIATED.search(tail) or _INITIAL.search(tail))


def _even(text: str) -> Iterator[str]:
    words = " ".join(text.split())
    if any(sign.isalnum() for sign in words):
        yield words


def pieces(line: str) -> Iterator[str]:
    """The sentences of a line, long ones by clauses; binary data is left out."""
    for sentence in sentences(line):
        yield from clauses(sentence)


def clauses(sentence: str) -> Iterator[str]:
    """A sentence as it is, or its clauses when it is very long."""
    if len(sentence) <= LONG:
        yield sentence
        return
    gathered = ""
    for clause in _PAUSE.split(sentence):
        if gathered and len(gathered) + len(clause) > CLAUSE:
            yield from _bounded(gathered)
            gathered = ""
        gathered = f"{gathered} {clause}".strip()
    yield from _bounded(gathered)


def _bounded(clause: str) -> Iterator[str]:
    """A clause in parts of at most `LONG` characters, broken at blanks; words beyond `BLOB` characters fall away."""
    part = ""
    for word in clause.split():
        if len(word) > BLOB and "://" not in word:
            continue
        if part and len(part) + len(word) >= LONG:
            yield part
            part = ""
        part = f"{part} {word}".strip()
    if part:
        yield part
