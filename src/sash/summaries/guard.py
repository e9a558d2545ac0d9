"""Whether a summariser's answer will do, and the summary that is made of it.

An answer that is no summary (cut short, refused, a tool call, empty, without the titles asked for, no shorter than what
it replaces) changes nothing: the verdict says why. Otherwise what must be kept and is missing is added word for word,
by cost of loss, within the limit; the user's instructions come first. It knows neither the model nor the request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from sash.model.blocks import Block
from sash.model.patterns import late
from sash.model.turns import Turn
from sash.model.values import whole
from sash.summaries.choosing import choose
from sash.summaries.coverage import Coverage
from sash.summaries.facts import Fact, normal
from sash.summaries.layout import SummaryLine, SummaryParts, parse, render, sections, unescape
from sash.summaries.prompts import texts
from sash.summaries.statements import statements
from sash.summaries.values import values

Size = Callable[[str], int]

INSTRUCTIONS = 0.5
"""Part of the limit that the user's instructions may take before the oldest must stay in their turns."""
WORDS = 0.5
"""Part of the limit that the model's own words may take, where facts that it lacks are to be added."""
RUNAWAY = 3
"""Times the limit from which an answer is no summary; a little too long, its least telling lines give way."""
ALIKE = 0.6
"""Share of a line's words in a sentence of the user's from which it counts as the model's rendering of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardVerdict:
    """What became of a summariser's answer."""

    ok: bool
    text: str = ""
    """the summary, as it is stored and given to `render`; "" when not ok"""
    reason: str = ""
    """why not: truncated, refused, tool-call, unfinished, empty, unstructured, too-long, not-shorter"""
    tokens: int = 0
    """of the summary as it is sent, tags included"""
    kept: int = 0
    """must-keep facts that the model's own words hold"""
    added: tuple[Fact, ...] = ()
    """facts that were missing and are quoted now"""
    lost: tuple[Fact, ...] = ()
    """facts for which there was no room, the dearest first"""
    verbatim: tuple[int, ...] = ()
    """seqs of turns that must stay in view: their instructions found no room"""


def judge(
    blocks: Sequence[Block],
    stop_reason: str | None,
    *,
    facts: Sequence[Fact],
    turns: Sequence[Turn],
    limit: int,
    replaced: int,
    size: Size,
    must_keep: bool = True,
) -> GuardVerdict:
    """Judge an answer: its blocks and stop reason, against the facts and turns that it stands for.

    `limit` is the most tokens of the summary as it is sent, `replaced` the tokens of what it replaces (`replaced_by`),
    `size` tells the tokens of a text. Without `must_keep` nothing is added.
    """
    answer = whole(unescape("\n".join(texts(blocks)))).strip()
    reason = _unfit(blocks, stop_reason, answer)
    if reason:
        return GuardVerdict(ok=False, reason=reason)
    if size(answer) > RUNAWAY * limit:
        return GuardVerdict(ok=False, reason="too-long")
    read = parse(answer)
    instructions, claimed = _instructions(read, facts, turns, must_keep)
    room = min(limit, replaced - 1)
    fitting, verbatim = _newest(instructions, int(room * INSTRUCTIONS), bare(size)) if must_keep else (instructions, ())
    own = _own(read, claimed, fitting)
    told = _unquoted(own, facts, turns) if must_keep else own
    summary = _fitting(told, room, int(room * WORDS) if must_keep else room, size)
    if summary is None:
        return GuardVerdict(ok=False, reason="too-long" if room == limit else "not-shorter")
    if must_keep:
        summary = replace(summary, kept=_chosen(summary, facts, room, size))
    while summary.kept and tokens_of(summary, size) > room:
        summary = replace(summary, kept=summary.kept[:-1])
    return _report(summary, Coverage(read.lines()), facts, verbatim, tokens_of(summary, size))


def replaced_by(limit: int, previous: str, turns: Iterable[Turn], size: Size) -> int:
    """Tokens of what a summary replaces: the previous one and the leaving turns. Beyond `limit` none are counted: a
    summary that keeps to it is shorter anyway, and a long backlog need not be tokenized for that."""
    tokens = size(previous)
    for turn in turns:
        if tokens > limit:
            break
        tokens += size(turn.content)
    return tokens


def _chosen(summary: SummaryParts, facts: Sequence[Fact], room: int, size: Size) -> tuple[SummaryLine, ...]:
    """What is quoted because the summary lacks it."""
    held = Coverage(summary.lines())
    missing = [fact for fact in facts if not held.holds(fact)]
    return choose(missing, held, room - tokens_of(summary, size), bare(size))


def _report(
    summary: SummaryParts, own: Coverage, facts: Sequence[Fact], verbatim: tuple[int, ...], tokens: int
) -> GuardVerdict:
    """The verdict on a finished summary: what of the facts the model's words held, what was added, what is lost."""
    held = Coverage(summary.lines())
    standing = [fact for fact in facts if held.holds(fact)]
    added = [fact for fact in standing if not own.holds(fact)]
    gone = [fact for fact in facts if not held.holds(fact)]
    lost = [fact for fact in gone if fact.kind != "instruction" or fact.seq not in verbatim]
    return GuardVerdict(
        ok=True,
        text=str(summary),
        tokens=tokens,
        kept=len(standing) - len(added),
        added=tuple(added),
        lost=tuple(sorted(lost, key=lambda fact: (-fact.worth, fact.seq))),
        verbatim=verbatim,
    )


def bare(size: Size) -> Size:
    """Tokens of a text that stands among others: `size` tells them with the frame of a turn around it."""
    frame = max(0, size("a") - 1)
    return lambda text: max(1, size(text) - frame)


def tokens_of(summary: SummaryParts, size: Size) -> int:
    """Tokens of a summary as it is sent."""
    return size(str(render(str(summary))["text"]))


_REFUSED = late(
    r"^(?:I['’]?m (?:very |really )?sorry|I apologi[sz]e|sorry,|unfortunately,? I|as an AI|"
    r"I (?:can(?:no|['’])t|am unable|won['’]t|will not))",
    re.I,
)
_STOPPED = {
    "refusal": "refused",
    "max_tokens": "truncated",
    "model_context_window_exceeded": "truncated",
    "tool_use": "tool-call",
    "pause_turn": "unfinished",
    None: "unfinished",
}


def _unfit(blocks: Sequence[Block], stop_reason: str | None, answer: str) -> str:
    """Why an answer is no summary; "" for one that is."""
    if stop_reason in _STOPPED:
        return _STOPPED[stop_reason]
    if any((block.get("type") or "").endswith("tool_use") for block in blocks):
        return "tool-call"
    if not answer:
        return "empty"
    titled = sections(answer) - {"kept"}
    if not titled:
        return "refused" if _REFUSED.match(answer) else "unstructured"
    return "" if any(parse(answer).lines()) else "empty"


def _instructions(
    read: SummaryParts, facts: Sequence[Fact], turns: Sequence[Turn], must_keep: bool
) -> tuple[tuple[SummaryLine, ...], tuple[str, ...]]:
    """The user's instructions in the order they were given, and what the model only claims to be one.

    What the model names as an instruction counts as one only in the user's own words: orders that stand in a
    document or a tool's result never become the user's. Without `must_keep` only what it names counts.
    """
    given = [fact.line for fact in facts if fact.kind == "instruction"]
    own = [
        SummaryLine(text=one.text, seq=one.seq, on=one.on)
        for one in statements(turns)
        if one.speaker == "user" and not one.quoted
    ]
    lines, claimed = (given if must_keep else []), []
    for line in read.instructions:
        meant = _meant(line.text, given) or _meant(line.text, own)
        if meant is None:
            claimed.append(line.text)
        else:
            lines.append(meant)
    unique = {normal(line.text): line for line in lines}
    return tuple(sorted(unique.values(), key=lambda line: line.seq)), tuple(claimed)


def _meant(text: str, said: Sequence[SummaryLine]) -> SummaryLine | None:
    """What somebody said that a text renders: the one that holds most of its words."""
    words = frozenset(normal(text).split())
    best = max(said, key=lambda line: _likeness(words, line.text), default=None)
    return best if best and _likeness(words, best.text) >= ALIKE else None


def _likeness(words: frozenset[str], said: str) -> float:
    """How many of the words stand in what was said."""
    return len(words & _words(said)) / max(len(words), 1)


@lru_cache(maxsize=4_096)
def _words(text: str) -> frozenset[str]:
    return frozenset(normal(text).split())


def _newest(lines: Sequence[SummaryLine], room: int, size: Size) -> tuple[tuple[SummaryLine, ...], tuple[int, ...]]:
    """The newest instructions within `room` tokens, and the turns of those that are older and must stay in view."""
    fitting: list[SummaryLine] = []
    for line in reversed(lines):
        room -= size(str(line)) + 1
        if room < 0 and line.seq:
            break
        fitting.insert(0, line)
    older = lines[: len(lines) - len(fitting)]
    return tuple(fitting), tuple(sorted({line.seq for line in older}))


def _own(read: SummaryParts, claimed: Sequence[str], instructions: Sequence[SummaryLine]) -> SummaryParts:
    """The model's own words, without what stands among the instructions and what it repeats."""
    seen = {normal(line.text) for line in instructions}
    prose = {}
    for section, lines in read.prose.items():
        more = (f"Said, not by the user: {text}" for text in claimed) if section == "facts" else ()
        fresh = []
        for line in (*lines, *more):
            if normal(line) not in seen:
                seen.add(normal(line))
                fresh.append(line)
        prose[section] = tuple(fresh)
    return SummaryParts(instructions=tuple(instructions), prose=prose)


def _unquoted(summary: SummaryParts, facts: Sequence[Fact], turns: Sequence[Turn]) -> SummaryParts:
    """The summary without what the model only quoted: quotations are chosen by what losing them costs.

    So they stand under those who said them, and a model that copies at random crowds out nothing.
    """
    quotes = {normal(fact.quote) for fact in facts if fact.seq}
    said = quotes | {normal(one.text) for one in statements(turns) if values(one.text)}
    own = tuple(line for line in summary.prose.get("facts", ()) if normal(line) not in said)
    return replace(summary, prose={**summary.prose, "facts": own})


def _fitting(summary: SummaryParts, room: int, words: int, size: Size) -> SummaryParts | None:
    """The summary within `room` tokens, its prose within `words`: the least telling of its facts give way.

    None if the rest is still too long.
    """
    facts = list(summary.prose.get("facts", ()))
    telling = sorted(facts, key=lambda line: len(values(line)) / len(line), reverse=True)
    while tokens_of(summary, size) > room or _tokens_of_prose(summary, size) > words:
        if not telling:
            return None
        del telling[-max(1, len(telling) // 10) :]
        left = set(telling)
        summary = replace(summary, prose={**summary.prose, "facts": tuple(line for line in facts if line in left)})
    return summary


def _tokens_of_prose(summary: SummaryParts, size: Size) -> int:
    return bare(size)(str(SummaryParts(prose=summary.prose)))
