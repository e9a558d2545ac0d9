"""What survives of planted facts, and at what cost: a planted conversation under each strategy.

    python -m benchmarks.memory --planted [--data FILE ...] [--cuts 1 3 10] [--real MODEL] [--json]

Every strategy lives through the same conversation on the simulator: the user's turns are sent, the trace's own replies
come back, summaries are the simulator's (extractive) ones. When as much has left as `--cuts` cuts of `--step` tokens
move out, the next request is planned: a fact survives if a line of it holds its value and what it is about, an
instruction if it stands there word for word. `facts` are those planted in what has left. With `--real` summaries are
made by a real model through the environment's key, with and without must-keep; no other request is sent.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.planted import Planted, Said, trace
from sash import Conversation, Economic, MemoryStore, ServerCompaction, SlidingWindow, SteppedWindow, Summarised, card
from sash.counting.estimator import Estimator
from sash.errors import SashError
from sash.formats import ImportedConversation, read
from sash.model.blocks import dumps, readable, text_block
from sash.model.turns import Turn
from sash.model.usage import Usage
from sash.planning.situation import Strategy
from sash.simulator import Simulator
from sash.summaries import ask, facts_of, instructions_of, judge

MODEL = "claude-sonnet-5-5"
BY = "claude-haiku-5-5"
REPLY = 1_024
GAP = 60.0
"""Seconds between an answer and the next question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one strategy has kept after so many cuts' worth of turns have left, and what all of it cost so far."""

    trace: str
    strategy: str
    cuts: int
    facts: int
    survived: int
    instructions: int
    instructions_lost: int
    dollars: float
    tokens: int
    """of the next request"""
    made: int = 0
    """cuts that the strategy made"""
    waited: int = 0
    """sends that waited for a summary because the budget forced a cut"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Tokens: the budget, what stays verbatim, the summary's limit, what leaves with one cut."""

    budget: int
    keep: int
    summary: int
    step: int

    def strategies(self) -> dict[str, Strategy]:
        """What is compared, by name."""
        stepped = SteppedWindow(keep=self.keep, high=self.keep + self.summary + self.step)
        return {
            "SlidingWindow": SlidingWindow(tokens=self.keep + self.summary),
            "SteppedWindow": stepped,
            "Economic": Economic(),
            "Summarised, model's words alone": Summarised(inner=stepped, tokens=self.summary, must_keep=False),
            "Summarised": Summarised(inner=stepped, tokens=self.summary),
            "Summarised, Economic": Summarised(tokens=self.summary),
            "ServerCompaction": ServerCompaction(inner=stepped, tokens=self.summary),
        }


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `--planted` understands."""
    group = parser.add_argument_group("planted facts")
    group.add_argument("--planted", action="store_true", help="what survives of facts planted in a long conversation")
    group.add_argument("--cuts", type=int, nargs="+", default=[1, 3, 10], help="after how many cuts to look")
    group.add_argument("--window", type=int, default=24_000, help="budget, in tokens")
    group.add_argument("--verbatim", type=int, default=4_000, help="newest tokens that stay verbatim")
    group.add_argument("--summary", type=int, default=4_000, help="the summary's limit, in tokens")
    group.add_argument("--step", type=int, default=11_000, help="tokens that leave with one cut")
    group.add_argument("--characters", type=int, default=480_000, help="length of the conversation")
    group.add_argument("--each", type=int, default=10, help="planted facts of each kind")
    group.add_argument("--seed", type=int, default=0)
    group.add_argument("--only", nargs="+", metavar="STRATEGY", help="leave out the others")
    group.add_argument("--real", metavar="MODEL", help='summaries by this model; "simulator" for a rehearsal')


def run(options: argparse.Namespace) -> None:
    """Run, and print a table or JSON."""
    rows: list[Row] = []
    try:
        for name, turns in traces(options):
            rows += measure(name, turns, options)
    except SashError as error:
        sys.exit(f"benchmarks.memory: {error}")
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        Console(width=140).print(table(rows))


def traces(options: argparse.Namespace) -> Iterator[tuple[str, list[Said]]]:
    """The synthetic trace, or one with the words of each file as filler."""
    length = {"seed": options.seed, "characters": options.characters, "each": options.each, "spread": 0.8}
    for path in options.data or ():
        name = Path(path).stem if Path(path).is_file() else Path(path).name
        for category, (known, all_of_them) in recall_of_rules(read(path)).items():
            print(f"{name}: rules find {known} of {all_of_them} turns of {category}", file=sys.stderr)
        found = [pair for conversation in read(path) for pair in _pairs(conversation)]
        yield name, trace(**length, texts=found)
    if not options.data:
        yield "synthetic", trace(**length)


def recall_of_rules(conversations: Iterable[ImportedConversation]) -> dict[str, tuple[int, int]]:
    """Of the user's turns that the data's own questions call instructions or preferences: how many hold one by rule."""
    turns: dict[str, dict[str, bool]] = {}
    for conversation in conversations:
        said = {turn.id: turn for turn in conversation.turns if turn.role == "user" and turn.id}
        for question in conversation.questions:
            if question.category in ("instruction_following", "preference_following"):
                for key in filter(said.__contains__, question.evidence):
                    turn = _turn(1, Said(role="user", text=readable(said[key].content)))
                    turns.setdefault(question.category, {})[key] = bool(instructions_of([turn]))
    return {category: (sum(found.values()), len(found)) for category, found in turns.items()}


def _pairs(conversation: ImportedConversation) -> Iterator[tuple[str, str]]:
    asked = ""
    for turn in conversation.turns:
        text = readable(turn.content)
        if turn.role == "user":
            asked = text
        elif asked and text:
            yield asked, text
            asked = ""


def measure(name: str, turns: Sequence[Said], options: argparse.Namespace) -> Iterator[Row]:
    """The rows of one trace."""
    terms = Terms(budget=options.window, keep=options.verbatim, summary=options.summary, step=options.step)
    if options.real:
        for must_keep in (False, True):
            yield from _by_hand(name, turns, terms, options, must_keep)
        return
    for strategy, chosen in terms.strategies().items():
        if not options.only or strategy in options.only:
            print(f"{name}: {strategy}", file=sys.stderr)
            yield from _lived(name, strategy, chosen, turns, terms, options.cuts)


# ---- a whole conversation on the simulator ---------------------------------------------------------------


def _lived(
    name: str, strategy: str, chosen: Strategy, turns: Sequence[Said], terms: Terms, cuts: Sequence[int]
) -> Iterator[Row]:
    """One strategy through the whole trace, looked at when each number of cuts' worth has left."""
    with ExitStack() as stack:
        simulator = Simulator()
        store = MemoryStore()
        stack.callback(store.close)
        chat = stack.enter_context(
            Conversation(
                store, id="a", model=MODEL, budget=terms.budget, keep=terms.keep, strategy=chosen, memory="none",
                max_tokens=REPLY, client=stack.enter_context(simulator.client()), clock=simulator.clock.now,
            )
        )  # fmt: skip
        places = dict(_places(turns, terms, cuts))
        simulator.script(_replies(turns))
        made = waited = 0
        for at in range(0, max(places.values(), default=0) + 1, 2):
            reply = chat.send(turns[at].text)
            chat.wait_for_background()
            simulator.clock.advance(GAP)
            made += reply.plan.cut and at > 0
            waited += any("waited" in note for note in reply.notes)
            for stage in [stage for stage, place in places.items() if place == at]:
                plan = chat.plan("And what do you remember of all that?")
                left = [fact for turn in turns[: _gone(turns, at, terms)] for fact in turn.planted]
                text = "\n".join(readable(message["content"]) for message in plan.body["messages"])
                yield _row(name, strategy, stage, left, text, chat.usage().dollars, plan.prompt.tokens, made, waited)


def _replies(turns: Sequence[Said]) -> Callable[[Mapping[str, Any]], str | None]:
    """The trace's own replies to its user turns; to a request for a summary the simulator's."""
    answers = {turns[at].text: turns[at + 1].text for at in range(0, len(turns), 2)}

    def reply(body: Mapping[str, Any]) -> str | None:
        newest = readable(body["messages"][-1]["content"])
        return answers.get(newest)

    return reply


def _places(turns: Sequence[Said], terms: Terms, cuts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """For each number of cuts the user turn behind which that many steps, and what is kept, have been said."""
    said = 0
    left = sorted(cuts)
    for at in range(0, len(turns), 2):
        said += _tokens(turns[at].text) + _tokens(turns[at + 1].text)
        while left and said >= left[0] * terms.step + terms.keep + terms.summary:
            yield left.pop(0), at


def _gone(turns: Sequence[Said], at: int, terms: Terms) -> int:
    """How many turns have left a window of `keep` + a summary when the turn at `at` was answered."""
    room, index = terms.keep + terms.summary, at + 2
    while index > 0 and room > 0:
        index -= 1
        room -= _tokens(turns[index].text)
    return index


def _tokens(text: str) -> int:
    return len(text) * 10 // 36 + 1


def survives(fact: Planted, text: str) -> bool:
    """Whether a text still tells a fact: an instruction word for word, else its value beside what it is about."""
    if fact.kind == "instruction":
        return fact.value in text
    return any(fact.value in line and all(word in line for word in fact.about) for line in text.splitlines())


def _row(
    name: str, strategy: str, stage: int, left: Iterable[Planted], text: str, dollars: float, tokens: int,
    made: int, waited: int,
) -> Row:  # fmt: skip
    stands = [(fact, survives(fact, text)) for fact in left]
    orders = [held for fact, held in stands if fact.kind == "instruction"]
    return Row(
        trace=name,
        strategy=strategy,
        cuts=stage,
        facts=len(stands) - len(orders),
        survived=sum(held for fact, held in stands if fact.kind != "instruction"),
        instructions=len(orders),
        instructions_lost=orders.count(False),
        dollars=round(dollars, 6),
        tokens=tokens,
        made=made,
        waited=waited,
    )


# ---- summaries alone, by a real model --------------------------------------------------------------------


def _by_hand(
    name: str, turns: Sequence[Said], terms: Terms, options: argparse.Namespace, must_keep: bool
) -> Iterator[Row]:
    """Only the summaries of a stepped window, made one after the other by the model named."""
    client = _client(options.real)
    model = BY if options.real == "simulator" else options.real
    recorded = [_turn(seq, said) for seq, said in enumerate(turns, 1)]
    size = _sizer()
    previous, start, dollars, pinned = "", 0, 0.0, dict[int, str]()
    for cut in range(1, max(options.cuts) + 1):
        end = _end(recorded, start, terms.step)
        leaving = recorded[start:end]
        asked = ask(previous, leaving, terms.summary)
        answer = client.messages.create(
            model=model, max_tokens=2 * terms.summary, system=asked.system,
            messages=[{"role": "user", "content": asked.content}],
        )  # fmt: skip
        dollars += _price(model, answer.usage)
        verdict = judge(
            [block.model_dump(exclude_none=True) for block in answer.content],
            answer.stop_reason,
            facts=facts_of(leaving, previous),
            turns=leaving,
            limit=terms.summary,
            replaced=size(previous) + sum(size(turn.text) for turn in leaving),
            size=size,
            must_keep=must_keep,
        )
        if not verdict.ok:
            sys.exit(f"benchmarks.memory: the summary of cut {cut} was rejected: {verdict.reason}")
        previous, start = verdict.text, end
        pinned.update((seq, recorded[seq - 1].text) for seq in verdict.verbatim)
        if cut in options.cuts:
            left = [fact for said in turns[:end] for fact in said.planted]
            text = "\n".join([previous, *pinned.values()])
            words = "must-keep" if must_keep else "model's words alone"
            yield _row(name, f"{model}, {words}", cut, left, text, dollars, verdict.tokens, cut, 0)


def _client(real: str) -> Any:
    if real == "simulator":
        return Simulator().client()
    return _load_anthropic().Anthropic()


def _load_anthropic() -> Any:
    import anthropic  # noqa: PLC0415 - heavy, and needed with --real alone

    return anthropic


def _turn(seq: int, said: Said) -> Turn:
    content = dumps([text_block(said.text)])
    return Turn(
        id=seq, branch=1, seq=seq, role=said.role, plain=said.role == "user", state="answered", content=content,
        at=1_790_000_000.0 + 60 * seq,
    )  # fmt: skip


def _end(turns: Sequence[Turn], start: int, step: int) -> int:
    """Where the next `step` tokens end, between exchanges."""
    end = start
    while end < len(turns) and step > 0:
        step -= _tokens(turns[end].text)
        end += 1
    while end < len(turns) and not turns[end].plain:
        end += 1
    return end


def _sizer() -> Callable[[str], int]:
    counter = Estimator.for_model(MODEL)
    return lambda text: counter.count(counter.measure_message("user", [text_block(text)])).tokens


def _price(model: str, usage: Any) -> float:
    return card(model).cost(Usage(fresh=usage.input_tokens, output=usage.output_tokens))


def table(rows: Iterable[Row]) -> Table:
    """For people."""
    made = Table(title="What survives of planted facts")
    for column in ("trace", "strategy"):
        made.add_column(column)
    for column in ("cuts", "facts", "survived", "instructions lost", "dollars", "tokens", "own cuts", "waited"):
        made.add_column(column, justify="right")
    for row in rows:
        share = f"{row.survived / row.facts:.1%}" if row.facts else ""
        lost = f"{row.instructions_lost} of {row.instructions}"
        made.add_row(
            row.trace, row.strategy, str(row.cuts), str(row.facts), share, lost, f"{row.dollars:.4f}",
            f"{row.tokens:,}", str(row.made), str(row.waited),
        )  # fmt: skip
    return made
