"""Finding old turns: ask the indexes, merge what they say, add neighbours, pack the best into a share of tokens.

Reads only, embeddings apart: turns that have no vector of the embedder in use yet get one before they are
searched. What is done with the turns that were found is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import ceil

from sash.flows.context import Context, Counter
from sash.model.blocks import text_block
from sash.model.counts import Count
from sash.model.redaction import redacted
from sash.model.turns import Turn
from sash.recall.packing import Candidate, pack
from sash.recall.query import Query
from sash.recall.quoting import quoted
from sash.recall.ranking import BY_MEANING, BY_WORDS, Matches, fuse, keyword_scores, ranked, spread, weight
from sash.recall.settings import Embedder, Found, Recall

SAMPLES, SAMPLED = 12, 80
"""Of how many candidates how many characters tell how dense the text is."""
AT_ONCE = 256
"""Turns embedded before anything else is asked."""
RUN = 200
"""Newest turns among which the newest question is looked for: a run of that many turns is quoted to itself."""
NAMED = 4
"""Words that a reason names at most."""


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
    if not query:
        return []
    matches = chat.store.index.match(chat.conversation, terms=query.terms, until=until)
    rankings, near = [], dict[int, float]()
    if settings.words:
        rankings.append(ranked(spread(keyword_scores(matches), BY_WORDS[: settings.neighbours])))
    if settings.semantic:
        near = dict(_near(chat, query, settings, until, matches))
        rankings.append(list(near))
    values = fuse(rankings)
    seqs = tuple(seq for seq in ranked(values) if seq not in without and (until is None or seq < until))
    read = chat.store.index.read(chat.conversation, seqs=seqs, model=model)
    turns = [(turn, count) for turn, count in read if redacted(turn.blocks) != turn.content]
    reasons = _Reasons(matches, near)
    candidates = [
        Candidate(turn=turn, value=values[turn.seq], why=reasons.of(turn.seq), tokens=_known(turn, count))
        for turn, count in turns
    ]
    exact = _exact(chat.counter)
    packed = pack(candidates, settings.tokens, _roughly(candidates, exact), _worth(matches))
    return _within(packed, settings.tokens, exact)


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


def _near(
    chat: Context, query: Query, settings: Recall, until: int | None, matches: Matches
) -> Sequence[tuple[int, float]]:
    return chat.store.index.near(
        chat.conversation,
        text=query.about(matches.names),
        embedder=settings.semantic,
        gains=BY_MEANING[: settings.neighbours],
        until=until,
    )


def _known(turn: Turn, count: Count | None) -> int | None:
    """The size of a turn's text, where its recorded size is that of text alone."""
    spoken = all(block.get("type") == "text" for block in turn.blocks)
    return count.tokens if count is not None and spoken else None


def _worth(matches: Matches) -> dict[str, float]:
    return {hit.term.text: weight(hit.term, hit.found, matches.total, matches.names) for hit in matches.hits}


def _exact(counter: Counter) -> Callable[[str], int]:
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


def _within(found: Sequence[Found], most: int, exact: Callable[[str], int]) -> list[Found]:
    """As many as take at most `most` tokens together, quoted; the least valuable go."""
    kept = list(found)
    while kept and (over := exact(quoted(kept)) - most) > 0:
        while kept and over > 0:
            over -= kept.pop().tokens
    return kept


class _Reasons:
    """Why a turn was found, in words."""

    def __init__(self, matches: Matches, near: Mapping[int, float]) -> None:
        self._near = near
        self._words: dict[int, list[str]] = {}
        worth = _worth(matches)
        for hits in sorted(matches.hits, key=lambda hits: -worth[hits.term.text]):
            if hits.term.text not in matches.names:
                for seq in hits.seqs:
                    self._words.setdefault(seq, []).append(hits.term.text)

    def of(self, seq: int) -> str:
        """The reason for one turn."""
        reasons = []
        if shared := self._words.get(seq):
            reasons.append("words: " + ", ".join(shared[:NAMED]))
        if seq in self._near:
            reasons.append(f"meaning: {self._near[seq]:.2f}")
        return "; ".join(reasons) or self._nearest_named(seq)

    def _nearest_named(self, seq: int) -> str:
        for distance in range(1, len(BY_WORDS) + 1):
            for other in (seq - distance, seq + distance):
                if other in self._words:
                    return f"beside turn {other}"
        return "a name"
