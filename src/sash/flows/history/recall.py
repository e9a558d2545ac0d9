"""Finding old turns: ask the indexes, merge what they say, add neighbours, pack the best into a share of tokens.

Reads only. Turns get the vectors by which they are found beside the conversation (`embed`), or before a search that
somebody asks for by hand. What is done with the turns that were found is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from sash.flows.context import Context, Counter
from sash.model.blocks import text_block
from sash.model.counts import Count
from sash.model.redaction import GAP, redacted
from sash.model.turns import Turn
from sash.recall.asking import asks
from sash.recall.packing import Candidate, pack
from sash.recall.query import Query, Term
from sash.recall.quoting import quoted
from sash.recall.ranking import (
    BY_MEANING,
    BY_WORDS,
    Like,
    Matches,
    added,
    alike_scores,
    fuse,
    keyword_scores,
    ranked,
    spread,
    within_places,
    worth_of,
)
from sash.recall.reasons import Reasons
from sash.recall.settings import Embedder, Found, Recall
from sash.recall.times import AFTERWARDS
from sash.recall.updates import best_user_turns, own_words, taken_up

SAMPLES, SAMPLED = 12, 80
"""Of how many candidates how many characters tell how dense the text is."""
AT_ONCE = 256
"""Turns embedded before anything else is asked."""
RUN = 200
"""Newest turns among which the newest question is looked for: a run of that many turns is quoted to itself."""
ROLE = 1.5
"""How much more a turn is worth whose speaker the question means."""
TIME, DATE = 3, 1
"""How often turns of the time that a question names are counted: told from now ("yesterday"), or by a date, ..."""
ENDS = 12
"""... and how many turns stand at an end of the conversation."""
CLOSE, BESIDE = 0.2, 0.5
"""Closeness of the nearest turn below which all are near by chance; and the part of it that others must have."""
REMARK = 80
"""Characters of a question that tells nothing beside."""


def recall(
    chat: Context,
    query: Query,
    settings: Recall,
    model: str,
    *,
    until: int | None = None,
    without: Collection[int] = (),
) -> list[Found]:
    """What answers `query` within `settings.tokens`, the best first; nothing for an empty query.

    Only turns before seq `until` are looked at, and none of the seqs `without` (what stands in the view anyway).
    """
    return _Search(chat, query, settings, model, until, frozenset(without)).found() if query else []


def search_history(chat: Context, query: Query, settings: Recall, model: str) -> list[Found]:
    """What answers `query` among the turns before the newest question, which would find itself."""
    head = chat.store.branches.head(chat.conversation)
    newest = chat.store.turns.read(chat.conversation, limit=RUN, newest=True)
    until = next((turn.seq for turn in reversed(newest) if turn.plain), head.seq + 1)
    return recall(chat, query, settings, model, until=until)


def embed(chat: Context, embedder: bool | Embedder, go_on: Callable[[], bool]) -> int:
    """Give all turns without a vector theirs, some at a time, as long as `go_on()`; how many it were."""
    done = 0
    while go_on():
        some = chat.store.index.embed(chat.conversation, embedder=embedder, most=AT_ONCE)
        done += some
        if some < AT_ONCE:
            break
    return done


@dataclass(frozen=True, slots=True)
class _Search:
    """One search: what the indexes know of a query, and what becomes of it."""

    chat: Context
    query: Query
    settings: Recall
    model: str
    until: int | None
    without: Collection[int]

    def found(self) -> list[Found]:
        """What answers the query within the share, the best first."""
        matches = self.chat.store.index.match(self.chat.conversation, terms=self.query.terms, until=self.until)
        near, likes = self._near(matches), self._likes(matches)
        rankings = list(self._rankings(matches, near, likes))
        meant = self._meant(fuse(rankings), matches)
        often = DATE if self.query.dated else TIME
        values = fuse([*rankings, *[meant] * often])
        seqs = [seq for seq in ranked(values) if self._open(seq)]
        reasons = Reasons(self.query, matches, near, likes, set(meant), seqs)
        candidates = self._newer(self._candidates(seqs, values, reasons), matches)
        size = exact(self.chat.counter)
        most, worth = self.settings.tokens, worth_of(matches)
        packed = pack(candidates, most, _roughly(candidates, size), worth, broad=self.query.broad)
        return _within(packed, self.settings.tokens, lambda some: size(quoted(some, self.settings.timezone)))

    # ---- what is known ---------------------------------------------------------------------------

    def _near(self, matches: Matches) -> Mapping[int, float]:
        """Closeness in meaning, by seq, the closest first."""
        if not (self.settings.semantic and self.query.text):
            return {}
        near = self.chat.store.index.near(
            self.chat.conversation,
            text=self.query.about(matches.names),
            embedder=self.settings.semantic,
            gains=BY_MEANING[: self.settings.neighbours],
            until=self.until,
        )
        if self.query.times or self.query.end:
            return dict(near)
        best = near[0][1] if near else 0.0
        return {seq: closeness for seq, closeness in near if best >= CLOSE and closeness >= BESIDE * best}

    def _likes(self, matches: Matches) -> Sequence[Like]:
        """Words like those asked for: by meaning where that is searched, by spelling for words that nobody used."""
        known = {hits.term.text for hits in matches.hits}
        words = [word for word in self.query.words if self.settings.semantic or word not in known]
        if not words:
            return ()
        found = self.chat.store.index.like(
            self.chat.conversation, words=words, embedder=self.settings.semantic or False, until=self.until
        )
        return within_places(found, matches)

    # ---- what it is worth ------------------------------------------------------------------------

    def _rankings(self, matches: Matches, near: Mapping[int, float], likes: Sequence[Like]) -> Iterator[Sequence[int]]:
        """By words; by meaning; by words of like meaning."""
        gains = BY_WORDS[: self.settings.neighbours]
        known = {hits.term.text for hits in matches.hits}
        if self.settings.words:
            slips = alike_scores((one for one in likes if one.spelt and one.word not in known), matches)
            yield ranked(spread(added(keyword_scores(matches), slips), gains))
        if self.settings.semantic:
            yield list(near)
            yield ranked(spread(alike_scores(likes, matches), gains))

    def _meant(self, values: Mapping[int, float], matches: Matches) -> list[int]:
        """Turns that the question names by time or place: those that answer it otherwise too come first."""
        if self.query.times:
            return self._of_that_time(values)
        if not self.query.end:
            return []
        first = self.query.end == "first"
        if scores := keyword_scores(matches) if self.query.words else {}:
            best = max(scores.values())
            found = [seq for seq, score in scores.items() if score >= best / 2 and self._open(seq)]
            return sorted(found, reverse=not first)[:ENDS]
        last = self.until or self.chat.store.branches.head(self.chat.conversation).seq + 1
        return list(range(1, min(ENDS + 1, last))) if first else list(range(last - 1, max(0, last - ENDS - 1), -1))

    def _of_that_time(self, values: Mapping[int, float]) -> list[int]:
        """Turns said at that time; behind them, those of the days in which a date is still spoken of."""
        found = dict[int, None]()
        for later in (0.0, AFTERWARDS):
            spans = [(one.since, one.before + later) for one in self.query.times if not (later and one.relative)]
            said = self.chat.store.index.between(self.chat.conversation, spans=spans, until=self.until)
            found |= dict.fromkeys(sorted(said, key=lambda seq: (-values.get(seq, 0.0), seq)))
        return [seq for seq in found if self._open(seq)]

    def _open(self, seq: int) -> bool:
        return seq not in self.without and (self.until is None or seq < self.until)

    # ---- turns -----------------------------------------------------------------------------------

    def _candidates(self, seqs: Sequence[int], values: Mapping[int, float], reasons: Reasons) -> list[Candidate]:
        read = self.chat.store.index.read(self.chat.conversation, seqs=seqs, model=self.model)
        return [
            Candidate(
                turn=turn,
                value=values[turn.seq] * (ROLE if turn.role == self.query.speaker and _tells(turn) else 1.0),
                why=reasons.of(turn),
                tokens=_known(turn, count),
            )
            for turn, count in read
            if not _gone(turn)
        ]

    def _newer(self, candidates: Sequence[Candidate], matches: Matches) -> list[Candidate]:
        """The candidates, with what was said later about the best of them raised to their side."""
        best = best_user_turns(candidates) if self.query.speaker == "user" else []
        words = own_words((one.turn for one in best), {*self.query.words, *matches.names})
        terms = tuple(Term(text=word) for word in words)
        found = self.chat.store.index.match(self.chat.conversation, terms=terms, until=self.until).hits if terms else ()
        return taken_up(candidates, best, found)


def _tells(turn: Turn) -> bool:
    """Whether somebody says something in it: no tool's result, and no question that is nothing else."""
    return turn.role == "assistant" or (turn.plain and not (len(turn.text) < REMARK and asks(turn.text)))


def _gone(turn: Turn) -> bool:
    """Whether it was redacted; most turns tell without being read."""
    return GAP in turn.content and redacted(turn.blocks) == turn.content


def _known(turn: Turn, count: Count | None) -> int | None:
    """The size of a turn's text, where its recorded size is that of text alone."""
    if count is None:
        return None
    return count.tokens if all(block.get("type") == "text" for block in turn.blocks) else None


def exact(counter: Counter) -> Callable[[str], int]:
    """Tokens of a text in a prompt, without the frame of a turn."""

    def whole(text: str) -> int:
        return counter.count(counter.measure_message("user", [text_block(text)])).tokens

    frame = whole("a") - 1
    return lambda text: max(0, whole(text) - frame)


def _roughly(candidates: Sequence[Candidate], exact: Callable[[str], int]) -> Callable[[str], int]:
    """Tokens of a text by its length: as dense as the best candidates are. Counting them all would take longest."""
    sample = " ".join(one.turn.text[:SAMPLED] for one in candidates[:SAMPLES])
    density = exact(sample) / max(1, len(sample.encode()))
    return lambda text: ceil(density * len(text.encode()))


def _within(found: Sequence[Found], most: int, size: Callable[[Sequence[Found]], int]) -> list[Found]:
    """As many as take at most `most` tokens together, quoted; the least valuable go."""
    kept = list(found)
    while kept and (over := size(kept) - most) > 0:
        while kept and over > 0:
            over -= kept.pop().tokens
    return kept
