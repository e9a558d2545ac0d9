"""Recorded tool histories lived through again: `python -m benchmarks.reality DATA [--budget 30000] [--json]`.

Every history (tau-bench, SWE-agent, Claude Code transcripts under DATA) is said again, turn by turn, to a conversation
on the simulator, which replies with what was replied then; thinking and call ids are its own, so that it notices when
either is lost. A row for each strategy: requests, how many were refused (none may be) or above the budget, and how
often `BudgetExceeded` said before sending that nothing fits; then the results are shortened, as its text asks.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sash import ClearedTools, Conversation, Economic, SlidingWindow, SteppedWindow, formats
from sash.errors import BudgetExceeded, RequestRejected
from sash.formats import ImportedConversation, ImportedTurn
from sash.model.blocks import Block
from sash.planning.situation import Strategy
from sash.planning.strategies import Everything
from sash.simulator import Reply, Simulator

BUDGET = 30_000
SOURCES = {"tau-bench": "tau_bench/*.json", "swe-agent": "swe_agent/*.json", "transcripts": "transcripts/*.jsonl"}
PLAIN: tuple[Strategy, ...] = (Economic(), SlidingWindow(), SteppedWindow())
STRATEGIES: tuple[Strategy, ...] = (*PLAIN, *(ClearedTools(inner=inner) for inner in PLAIN))
HALF = 2
"""What a result that does not fit is shortened by, again and again."""
SILENCE = {"type": "text", "text": "(no reply was recorded)"}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one or more histories under one strategy."""

    source: str
    strategy: str
    model: str
    budget: int
    histories: int = 0
    requests: int = 0
    refused: int = 0
    over: int = 0
    """requests that were sent and then measured above the budget: a bound holds at its coverage"""
    exceeded: int = 0
    """BudgetExceeded raised before sending"""
    cuts: int = 0
    dollars: float = 0.0

    def __add__(self, other: Outcome) -> Outcome:
        names = ("histories", "requests", "refused", "over", "exceeded", "cuts", "dollars")
        return replace(self, **{name: getattr(self, name) + getattr(other, name) for name in names})


def histories(data: Path, source: str) -> list[ImportedConversation]:
    """All histories of a source, by the library's own readers."""
    return [found for path in sorted(data.glob(SOURCES[source])) for found in formats.read(path)]


def replay(
    history: ImportedConversation, strategy: Strategy, *, source: str, model: str, budget: int = BUDGET
) -> Outcome:
    """Live one history through again."""
    simulator = Simulator()
    with (
        simulator.client(max_retries=0) as client,
        Conversation(
            None, id=history.id, model=model, system=history.system or None, tools=history.tools_called or None,
            strategy=strategy, memory="none", budget=budget, max_tokens=16_000, client=client,
            clock=simulator.clock.now,
        ) as chat,
    ):  # fmt: skip
        told = Telling(chat, simulator, history)
        told.tell()
        sent = [attempt for attempt in simulator.messages if attempt.usage is not None]
        limit = chat.card.window if isinstance(strategy, Everything) else budget
        return Outcome(
            source=source, strategy=repr(strategy), model=model, budget=budget, histories=1, requests=len(sent),
            refused=len(simulator.messages) - len(sent), exceeded=told.exceeded, cuts=told.cuts,
            over=sum(attempt.usage.prompt > limit for attempt in sent if attempt.usage), dollars=simulator.cost,
        )  # fmt: skip


class Telling:
    """A history on its way: its turns in order, and the ids that its calls have now."""

    def __init__(self, chat: Conversation, simulator: Simulator, history: ImportedConversation) -> None:
        self.chat, self.simulator, self.turns = chat, simulator, history.turns
        self.ids: dict[str, str] = {}
        self.exceeded = self.cuts = 0

    def tell(self) -> None:
        """Say all that was said; what had no reply is recorded, but for the last turn."""
        at = 0
        while at < len(self.turns):
            turn = self.turns[at]
            replies = list(self.replies(at + 1))
            if turn.role == "user" and (replies or at == len(self.turns) - 1):
                self._say(at, turn, [block for reply in replies for block in reply.content])
                at += len(replies)
            else:
                self.chat.extend([{"role": turn.role, "content": self._now(turn.content)}])
            at += 1

    def replies(self, at: int) -> Iterator[ImportedTurn]:
        """The recorded replies from this index on, up to what was said next."""
        for turn in self.turns[at:]:
            if turn.role != "assistant":
                return
            yield turn

    def before(self, at: int) -> None:
        """Called before the turn at this index is said."""

    def seen(self, at: int, body: Mapping[str, Any]) -> None:
        """Called with what Claude is shown when the turn at this index is said."""

    def _say(self, at: int, turn: ImportedTurn, recorded: Sequence[Block]) -> None:
        self.before(at)
        said = [block for block in recorded if "thinking" not in block["type"]] or [SILENCE]
        answer = [{name: v for name, v in block.items() if name != "id"} for block in said]
        content = self._now(turn.content)

        def reply(body: Mapping[str, Any]) -> Reply:
            self.seen(at, body)
            return Reply(content=answer)

        while True:
            self.simulator.script(reply)
            try:
                sent = self.chat.send(content)
                break
            except BudgetExceeded:
                self.exceeded += 1
                content = _shorter(content)
            except RequestRejected:
                return
        self.cuts += sent.plan.cut
        calls = [block for block in said if block["type"] == "tool_use"]
        self.ids |= {old["id"]: new["id"] for old, new in zip(calls, sent.tool_calls, strict=True)}

    def _now(self, content: Sequence[Block]) -> list[Block]:
        """Results under the ids that their calls have now."""
        return [
            {**block, "tool_use_id": self.ids.get(block["tool_use_id"], block["tool_use_id"])}
            if block["type"] == "tool_result"
            else {name: value for name, value in block.items() if name != "citations"}
            for block in content
        ]


def _shorter(content: Sequence[Block]) -> list[Block]:
    """The content with its largest block at half its length."""
    largest = max(content, key=lambda block: len(str(block)))
    name = "text" if largest["type"] == "text" else "content"
    text = largest[name] if isinstance(largest[name], str) else json.dumps(largest[name])
    half = {**largest, name: text[: len(text) // HALF]}
    return [half if block is largest else block for block in content]


def table(rows: Sequence[Outcome]) -> str:
    """The rows as text."""
    head = f"{'source':<12} {'strategy':<62} {'histories':>9} {'requests':>8} {'refused':>7} {'over':>4} "
    lines = [f"{head}{'exceeded':>8} {'cuts':>5} {'$':>8}"]
    lines += [
        f"{row.source:<12} {row.strategy:<62} {row.histories:>9} {row.requests:>8} {row.refused:>7} {row.over:>4} "
        f"{row.exceeded:>8} {row.cuts:>5} {row.dollars:>8.2f}"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--budget", type=int, default=BUDGET)
    parser.add_argument("--model", default="claude-sonnet-5-5")
    parser.add_argument("--source", choices=SOURCES, nargs="+", default=list(SOURCES))
    parser.add_argument("--every", type=int, default=1, help="only each so-manyth history")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    rows = []
    for source in given.source:
        found = histories(given.data, source)[:: given.every]
        for strategy in STRATEGIES:
            total = Outcome(source=source, strategy=repr(strategy), model=given.model, budget=given.budget)
            for history in found:
                total += replay(history, strategy, source=source, model=given.model, budget=given.budget)
            rows.append(total)
            if not given.json:
                print(table([total]).splitlines()[-1], flush=True)
    print(json.dumps([asdict(row) for row in rows], indent=1) if given.json else "\n" + table(rows))


if __name__ == "__main__":
    main()
