"""What does a request still hold when something old is asked?

    python -m benchmarks.memory --data FILE ... [--budget 8000 --keep 2000 --recall 4000] [--no-answers] [--json]

FILE is a conversation with questions and the ids of the turns that hold their answers (LoCoMo, BEAM). Each
question is asked after the whole conversation, on its own; the conversation does not remember the others.
`evidence` is the share of a question's evidence turns that stand in the request, averaged over questions,
`evidence_turns` the same over all turns; a long turn counts when the passage around what was asked for stands.
`window` fills the whole budget with the newest turns; the others keep `--keep` tokens; `summary` has the rest
summarised (only verbatim turns count as evidence), `keyword`, `semantic` and `both` recall `--recall` tokens.
`rank-bm25` (that package, by `--strategy`) is what plain BM25 finds: best hits with both neighbours, as many as fit.
`f1` compares the simulator's extractive answer with the right one, word by word: it can only answer from what
it was sent. `tokens` and `dollars` are per question. Category "all" leaves LoCoMo's adversarial questions out.
What survives of facts planted in a long conversation is another question: `--planted`, see `benchmarks.survival`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import survival
from sash import Conversation, MemoryStore
from sash.counting.estimator import Estimator
from sash.counting.measure import Blocks, Measure
from sash.errors import SashError
from sash.formats import ImportedConversation, Question, read
from sash.model.blocks import dumps, text_block
from sash.model.cards import card
from sash.model.turns import Draft
from sash.model.usage import Usage
from sash.planning.strategies import SlidingWindow
from sash.recall import Recall
from sash.recall.quoting import line
from sash.recall.words import words
from sash.simulator import Simulator

MODEL = "claude-sonnet-5-5"
REPLY = 512
WINDOW, SUMMARY, PLAIN = "window", "summary", "rank-bm25"
LEFT_OUT = ("adversarial",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the result: a strategy on the questions of one category."""

    data: str
    strategy: str
    category: str
    questions: int
    evidence: float
    evidence_turns: float
    f1: float | None
    exact: float | None
    tokens: float
    dollars: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one question came to under one strategy."""

    category: str
    found: int
    evidence: int
    tokens: int
    f1: float | None = None
    exact: float | None = None
    dollars: float | None = None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, and print a table or JSON."""
    options = _options(arguments)
    if options.planted:
        survival.run(options)
        return
    try:
        rows = [row for path in options.data for row in measure(path, options)]
    except SashError as error:
        sys.exit(f"benchmarks.memory: {error}")
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        Console(width=120).print(table(rows))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", nargs="+", metavar="FILE", help="conversations with questions; filler for --planted")
    parser.add_argument("--budget", type=int, default=8_000, help="the most prompt tokens of a request")
    parser.add_argument("--keep", type=int, default=2_000, help="newest tokens that stay verbatim")
    parser.add_argument("--recall", type=int, default=4_000, help="tokens for what is recalled")
    parser.add_argument("--strategy", nargs="+", choices=[*OURS, PLAIN], default=OURS)
    parser.add_argument("--no-answers", action="store_true", help="skip asking the simulator")
    parser.add_argument("--json", action="store_true")
    survival.add_options(parser)
    options = parser.parse_args(arguments)
    if not (options.planted or options.data):
        parser.error("give --data, or --planted")
    return options


SEARCHES: Mapping[str, Mapping[str, bool]] = {
    "keyword": {"words": True, "semantic": False},
    "semantic": {"words": False, "semantic": True},
    "both": {"words": True, "semantic": True},
}


OURS = [WINDOW, SUMMARY, *SEARCHES]


def measure(path: str, options: argparse.Namespace) -> Iterator[Row]:
    """The rows of one file."""
    found = read(path)
    name = Path(path).stem if Path(path).is_file() else Path(path).name
    for strategy in options.strategy:
        asked = [one for conversation in found for one in _ask_all(conversation, strategy, options)]
        yield from _rows(name, strategy, asked)


def _ask_all(conversation: ImportedConversation, strategy: str, options: argparse.Namespace) -> Iterator[Asked]:
    questions = [question for question in conversation.questions if question.evidence]
    with (PlainDesk if strategy == PLAIN else Desk)(conversation, strategy, options) as desk:
        title = f"{conversation.id} {strategy}"
        for question in track(questions, title, console=Console(stderr=True), transient=True):
            yield desk.ask(question)


class Remembering(Estimator):
    """An estimator that measures each text once: the same turns are found again and again here."""

    def measure_message(self, role: str, blocks: Blocks) -> Measure:
        """As the estimator does."""
        return _MEASURED.get(dumps(blocks)) or self._measure(role, blocks)

    def _measure(self, role: str, blocks: Blocks) -> Measure:
        measured = _MEASURED[dumps(blocks)] = super().measure_message(role, blocks)
        return measured


_MEASURED: dict[str, Measure] = {}


class Desk:
    """A conversation on record, at which questions are asked under one strategy.

    Each is planned by `Conversation.plan`, which writes nothing: as good as a fork of its own.
    """

    def __init__(self, conversation: ImportedConversation, strategy: str, options: argparse.Namespace) -> None:
        self._answers = not options.no_answers
        self._client = Simulator().client()
        self._chat = Conversation(
            MemoryStore(),
            model=MODEL,
            budget=options.budget,
            keep=options.keep,
            max_tokens=REPLY,
            client=self._client,
            **settings(strategy, options.recall),
        )
        self._chat._session._counters[MODEL] = Remembering.for_model(MODEL)
        self._chat.extend(
            Draft(role=turn.role, content=dumps(turn.content), at=turn.at, speaker=turn.speaker)
            for turn in conversation.turns
        )
        self._seqs = {turn.id: seq for seq, turn in enumerate(conversation.turns, 1)}
        if strategy == SUMMARY:  # what has to leave is summarised by the first request
            self._chat.send("Let us go on.")
            self._chat.settle()

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *error: object) -> None:
        self._chat.close()

    def ask(self, question: Question) -> Asked:
        """What stands in the request, and what it answers."""
        plan = self._chat.plan(question.text)
        wanted = {self._seqs[id] for id in question.evidence if id in self._seqs}
        stands = {turn.seq for turn in plan.turns if turn.id}
        stands |= {source.seq for source in plan.attached.sources} if plan.attached else set()
        return Asked(
            category=question.category,
            found=len(wanted & stands),
            evidence=len(wanted),
            tokens=plan.prompt.tokens,
            **{"dollars": plan.expected.dollars, **(self._answered(question, plan.body) if self._answers else {})},
        )

    def _answered(self, question: Question, body: Mapping[str, Any]) -> dict[str, float | None]:
        reply = self._client.messages.create(**body)
        text = "".join(block.text for block in reply.content if block.type == "text")
        used = reply.usage
        prompt = used.input_tokens + (used.cache_read_input_tokens or 0) + (used.cache_creation_input_tokens or 0)
        dollars = card(MODEL).cost(Usage(fresh=prompt, output=used.output_tokens))
        right = question.answer
        return {
            "f1": f1(text, right) if right else None,
            "exact": float(words(text) == words(right)) if right else None,
            "dollars": dollars,
        }


class PlainDesk(Desk):
    """The same window, with what the package rank-bm25 finds, quoted as sash quotes."""

    def __init__(self, conversation: ImportedConversation, strategy: str, options: argparse.Namespace) -> None:
        super().__init__(conversation, strategy, options)
        self._turns = self._chat.history()
        self._index = _load_rank_bm25().BM25Okapi([words(turn.text) for turn in self._turns])
        self._most = options.recall
        self._counter = self._chat._session._counters[MODEL]

    def ask(self, question: Question) -> Asked:
        """As `Desk` does; nothing is answered."""
        plan = self._chat.plan(question.text)
        window = {turn.seq for turn in plan.turns if turn.id}
        found = self._found(words(question.text), window)
        wanted = {self._seqs[id] for id in question.evidence if id in self._seqs}
        tokens = plan.prompt.tokens + sum(map(self._size, found))
        return Asked(
            category=question.category, found=len(wanted & (window | found)), evidence=len(wanted), tokens=tokens
        )

    def _found(self, query: Sequence[str], window: Set[int]) -> set[int]:
        """seqs of the best hits and of the turns beside them, within the share."""
        scores, found, left = self._index.get_scores(list(query)), set[int](), self._most
        for at in sorted(range(len(self._turns)), key=lambda at: -scores[at]):
            for seq in (at + 1, at, at + 2):
                if 1 <= seq <= len(self._turns) and seq not in found | window:
                    left -= self._size(seq)
                    if left < 0:
                        return found
                    found.add(seq)
        return found

    def _size(self, seq: int) -> int:
        text = line(self._turns[seq - 1], self._turns[seq - 1].text)
        return self._counter.count(self._counter.measure_message("user", [text_block(text)])).tokens


def _load_rank_bm25() -> Any:
    try:
        import rank_bm25  # noqa: PLC0415
    except ImportError:
        sys.exit("benchmarks.memory: --strategy rank-bm25 takes the package: pip install rank-bm25")
    return rank_bm25


def settings(strategy: str, tokens: int) -> dict[str, Any]:
    """What a strategy means for a conversation."""
    if strategy == WINDOW:
        return {"strategy": SlidingWindow()}
    if strategy == SUMMARY:
        return {"summarise": True}
    if strategy == PLAIN:
        return {}
    return {"recall": Recall(tokens=tokens, **SEARCHES[strategy])}


def f1(given: str, right: str) -> float:
    """Harmonic mean of precision and recall of the words of an answer."""
    mine, wanted = Counter(words(given)), Counter(words(right))
    common = (mine & wanted).total()
    return 2 * common / (mine.total() + wanted.total()) if common else 0.0


def _rows(data: str, strategy: str, asked: Sequence[Asked]) -> Iterator[Row]:
    groups: defaultdict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        groups[one.category].append(one)
        if one.category not in LEFT_OUT:
            groups["all"].append(one)
    for category, ones in sorted(groups.items(), key=lambda group: (group[0] == "all", group[0])):
        ones = [one for one in ones if one.evidence]
        if ones:
            yield _row(data, strategy, category, ones)


def _row(data: str, strategy: str, category: str, asked: Sequence[Asked]) -> Row:
    return Row(
        data=data,
        strategy=strategy,
        category=category,
        questions=len(asked),
        evidence=round(fmean(one.found / one.evidence for one in asked), 4),
        evidence_turns=round(sum(one.found for one in asked) / sum(one.evidence for one in asked), 4),
        f1=_mean(one.f1 for one in asked),
        exact=_mean(one.exact for one in asked),
        tokens=round(fmean(one.tokens for one in asked), 1),
        dollars=_mean((one.dollars for one in asked), 6),
    )


def _mean(values: Iterable[float | None], digits: int = 4) -> float | None:
    known = [value for value in values if value is not None]
    return round(fmean(known), digits) if known else None


def table(rows: Sequence[Row]) -> Table:
    """Rows for people."""
    names = ("data", "strategy", "category", "questions", "evidence", "of turns", "f1", "tokens", "dollars")
    made = Table(*names)
    for row in rows:
        made.add_row(
            row.data,
            row.strategy,
            row.category,
            str(row.questions),
            f"{row.evidence:.1%}",
            f"{row.evidence_turns:.1%}",
            "" if row.f1 is None else f"{row.f1:.3f}",
            f"{row.tokens:,.0f}",
            "" if row.dollars is None else f"{row.dollars:.4f}",
            end_section=row.category == "all",
        )
    return made


if __name__ == "__main__":
    main()
