"""Search over forks: whatever is said, forked, edited, refused, redacted and deleted, a search finds one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recording import MODEL, Recorder, text
from sash.recall import make_query

WORDS = ("suitcase", "raincoat", "漢字", "猫", "1138")
"""What is said, and looked for: by words, by characters and by meaning."""
SLIPS = {"suticase": "suitcase", "raincaot": "raincoat"}
NUMBERS = count()
"""Each example has a namespace of its own."""

Found = dict[tuple[str, str], list[int]]
"""The seqs of turns by the way in which they are found, and the word that they hold."""


class Axes:
    """An embedder to whom each of the words is a meaning of its own."""

    name = "axes"

    def embed(self, texts: list[str], /) -> list[list[float]]:
        """Which of them stand in each text."""
        return [[float(word in said) for word in WORDS] for said in texts]


@dataclass
class Said:
    """A turn, whichever lines share it."""

    id: int
    words: Sequence[str]


@dataclass
class Talk:
    """A conversation: its present line, and the branches that it left."""

    store: Any
    name: str
    namespace: str
    line: list[Said] = field(default_factory=list)
    left: list[tuple[int, list[Said]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.record = Recorder(self.store, self.name, self.namespace)
        self.index, self.key = self.store.index, self.record.key

    def say(self, words: Sequence[str]) -> None:
        """One exchange: its question holds half of the words, its reply the others."""
        halves = words[: len(words) // 2], words[len(words) // 2 :]
        self.record.say(*(f"So {' '.join(half)}." for half in halves))
        newest = self.record.turns(limit=2, newest=True)
        self.line += [Said(turn.id, half) for turn, half in zip(newest, halves, strict=True)]

    def refuse(self, words: Sequence[str]) -> None:
        """A question that is withdrawn: nobody finds it."""
        begun = self.record.begin(text(f"So {' '.join(words)}."))
        self.store.turns.withdraw(self.key)
        self.line += [Said(turn.id, ()) for turn in begun.turns]

    def fork(self, seq: int) -> Talk:
        """Another conversation that shares the past."""
        name = f"{self.name} {self.record.head.branch} {next(NUMBERS)}"
        self.record.branch(min(seq, len(self.line)), "fork", as_id=name)
        return Talk(self.store, name, self.namespace, self.line[:seq])

    def edit(self, seq: int) -> None:
        """Go on from an earlier turn."""
        self.left.append((self.record.head.branch, self.line))
        self.record.branch(min(seq, len(self.line)))
        self.line = self.line[:seq]

    def switch(self, which: int) -> None:
        """Go back to a branch that was left, if there is any."""
        self.left.append((self.record.head.branch, self.line))
        branch, self.line = self.left.pop(which % len(self.left))
        self.store.branches.switch(self.key, branch=branch)

    def redact(self, seq: int) -> None:
        """Take the words of a turn out of all lines."""
        for turn in self.line[seq - 1 : seq]:
            self.store.forgetting.redact(self.key, turn=turn.id, reason="", at=2.0)
            turn.words = ()

    def embed(self, most: int) -> None:
        """Give some turns their vectors."""
        self.index.embed(self.key, embedder=Axes(), most=most)

    def search(self, until: int) -> None:
        """All that is found before a turn is what the line says there."""
        assert self.found(until) == self.meant(until)

    def found(self, until: int) -> Found:
        """What a search finds and reads."""
        found: dict[tuple[str, str], Iterable[int]] = {}
        for word in WORDS:
            hits = self.index.match(self.key, terms=make_query(word).terms, until=until).hits
            found["said", word] = (seq for one in hits for seq in one.seqs)
            near = self.index.near(self.key, text=word, embedder=Axes(), gains=(), until=until)
            found["meant", word] = (seq for seq, closeness in near if closeness > 0)
        likes = self.index.like(self.key, words=tuple(SLIPS), embedder=False, until=until)
        found |= {("misspelt", one.like): one.seqs for one in likes}
        read = {way: self.index.read(self.key, seqs=sorted(set(seqs)), model=MODEL) for way, seqs in found.items()}
        return {way: [turn.seq for turn, _ in turns] for way, turns in read.items() if turns}

    def meant(self, until: int) -> Found:
        """What it should find."""
        ways = [(way, word) for word in WORDS for way in ("said", "meant")]
        ways += [("misspelt", word) for word in SLIPS.values()]
        line = list(enumerate(self.line[: max(0, until - 1)], 1))
        places = {way: [seq for seq, turn in line if way[1] in turn.words] for way in ways}
        return {way: seqs for way, seqs in places.items() if seqs}


NUMBER, SOME = st.integers(0, 9), st.lists(st.sampled_from(WORDS), max_size=4)
MOVES = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(("say", "refuse")), SOME)
    | st.tuples(
        st.integers(0, 5), st.sampled_from(("fork", "edit", "switch", "redact", "embed", "search", "delete")), NUMBER
    ),
    max_size=20,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES)
def test_a_search_finds_the_turns_of_its_line(store: Any, moves: list[tuple[int, str, Any]]) -> None:
    """Each conversation finds what its present line says, the shared past and its own, and nothing else: by words, by
    characters, by meaning and by misspelt words, whatever of it was read or embedded before."""
    namespace = f"example {next(NUMBERS)}"
    talks = [Talk(store, "first", namespace)]
    for who, what, more in moves:
        talk = talks[who % len(talks)]
        if what == "fork":
            talks.append(talk.fork(more))
        elif what != "delete":
            getattr(talk, what)(more)
        elif len(talks) > 1:
            talks.remove(talk)
            store.delete(talk.name, namespace=namespace)
    for talk in talks:
        talk.search(len(talk.line) + 1)
