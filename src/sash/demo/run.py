"""The demo: a script played through a real `Conversation` on the simulator, then asked what it still knows.

`Player` is one strategy's run: `play` says all lines, `ask` puts each question on a fork of its own, so that
asking changes nothing. Clock and simulator belong to the run: time passes as the script's gaps say, in no
time. Dollars are the simulator's bill for the lines, and for summaries made meanwhile. It draws nothing: see
`sash.cli.demo`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sash.conversation import Conversation
from sash.conversation.session import DEFAULT_MEMORY, DEFAULT_MODEL
from sash.demo.script import Probe, Script, ScriptTurn
from sash.model.replies import Reply
from sash.model.usage import Usage
from sash.planning.situation import Strategy
from sash.simulator import Simulator
from sash.stores import MemoryStore, Store
from sash.types import MemoryMode

MAX_TOKENS = 20_000
"""Room for a recorded reply, so that none is cut short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a run has used so far. Dollars as billed."""

    lines: int = 0
    usage: Usage = field(default_factory=Usage)
    dollars: float = 0.0
    cuts: int = 0
    largest: int = 0
    """tokens of the largest prompt"""

    @property
    def mean_prompt(self) -> float:
        """Prompt tokens per request."""
        return self.usage.prompt / self.lines if self.lines else 0.0

    def after(self, reply: Reply, billed: float) -> Totals:
        """The totals with one more reply, where so many dollars were billed in all. The first epoch is no cut."""
        return Totals(
            lines=self.lines + 1,
            usage=self.usage + reply.usage,
            dollars=billed,
            cuts=self.cuts + (reply.plan.cut and self.lines > 0),
            largest=max(self.largest, reply.usage.prompt),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The run just after a reply."""

    line: ScriptTurn
    reply: Reply
    totals: Totals
    clock: float
    """unix seconds, by the run's own clock"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A question, the reply to it, and whether what it asks for was still sent."""

    probe: Probe
    reply: str
    in_view: bool | None
    """whether a turn that tells it was in the request; None: the source does not say which does"""

    @property
    def score(self) -> float:
        """How much of the answer the reply holds, from 0 to 1."""
        return self.probe.score(self.reply)


class Player:
    """One run of a script with one memory, or under a strategy of its own.

    `store` (None: in memory) is closed with it.
    """

    def __init__(
        self,
        script: Script,
        *,
        budget: int,
        keep: int | None = None,
        memory: MemoryMode = DEFAULT_MEMORY,
        strategy: Strategy | None = None,
        model: str = DEFAULT_MODEL,
        store: Store | None = None,
        id: str = "demo",
    ) -> None:
        self.script, self._strategy = script, strategy
        self.totals = Totals()
        self.recalled: list[Recalled] = []
        self.simulator = Simulator(thinking=False)
        self.store = store or MemoryStore()
        self.chat = Conversation(
            self.store,
            id=id,
            model=model,
            system=script.system,
            tools=script.tools or None,
            budget=budget,
            keep=keep,
            memory=memory,
            strategy=strategy,
            max_tokens=MAX_TOKENS,
            client=self.simulator.client(),
            clock=self.simulator.clock.now,
        )

    @property
    def name(self) -> str:
        """The row label: the memory, and the strategy where one was chosen."""
        memory, chosen = self.chat.memory, repr(self._strategy)
        if self._strategy is None:
            return memory
        return chosen if memory == "none" else f"{memory}, {chosen}"

    def play(self) -> Iterator[Moment]:
        """Say every line and have the recorded reply said back; a moment after each."""
        for line in self.script.lines:
            self.simulator.script(partial(_replied, line))
            self.simulator.clock.advance(line.gap)
            reply = self.chat.send(line.said)
            self.chat.wait_for_background()
            self.totals = self.totals.after(reply, self.simulator.cost)
            yield Moment(line=line, reply=reply, totals=self.totals, clock=self.simulator.clock.now())

    def ask(self) -> Iterator[Recalled]:
        """Ask every question on a fork of its own; the simulator answers from what it is sent, and nothing else."""
        self.simulator.script([])
        for probe in self.script.probes:
            reply = self.chat.fork(id=f"{self.chat.id}: {probe.id}").send(probe.question)
            found = Recalled(probe=probe, reply=reply.text, in_view=_in_view(probe, reply))
            self.recalled.append(found)
            yield found

    def close(self) -> None:
        """Close the conversation and its store."""
        self.chat.close()
        self.store.close()


def _replied(line: ScriptTurn, body: Mapping[str, Any]) -> Any:
    """The recorded reply to a line; None for whoever asks something else, as for a summary."""
    said = [{key: value for key, value in block.items() if key != "cache_control"} for block in _newest(body)]
    return list(line.reply) or None if said[-len(line.said) :] == [dict(block) for block in line.said] else None


def _newest(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    content = body["messages"][-1]["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _in_view(probe: Probe, reply: Reply) -> bool | None:
    """Whether all lines that tell the answer were sent; line n is the turns 2n+1 and 2n+2 of the record."""
    if not probe.lines:
        return None
    sent = {turn.seq for turn in reply.plan.turns}
    shown = [turn.attachment for turn in reply.plan.turns if turn.attachment and reply.plan.epoch.shows(turn)]
    sent |= {source.seq for attached in shown for source in attached.sources}
    return all({2 * at + 1, 2 * at + 2} <= sent for at in probe.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyRow:
    """One strategy in the table at the end."""

    strategy: str
    totals: Totals
    times: float | None
    """dollars, as a multiple of the first row's"""
    in_view: float | None
    """share of the questions whose answer was still sent"""
    answered: float | None
    """mean score of the answers"""

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        usage = self.totals.usage
        return {
            "strategy": self.strategy,
            "requests": self.totals.lines,
            "dollars": self.totals.dollars,
            "times": self.times,
            "fresh": usage.fresh,
            "read": usage.read,
            "written": usage.write,
            "output": usage.output,
            "cached_share": usage.cached_share,
            "cuts": self.totals.cuts,
            "mean_prompt": self.totals.mean_prompt,
            "largest_prompt": self.totals.largest,
            "in_view": self.in_view,
            "answered": self.answered,
        }


def table(players: Sequence[Player]) -> list[StrategyRow]:
    """A row for each run; the first one is what the others are compared with."""
    ours = players[0].totals.dollars
    return [
        StrategyRow(
            strategy=player.name,
            totals=player.totals,
            times=player.totals.dollars / ours if ours else None,
            in_view=_mean([float(found.in_view) for found in player.recalled if found.in_view is not None]),
            answered=_mean([found.score for found in player.recalled]),
        )
        for player in players
    ]


def to_json(script: Script, players: Sequence[Player]) -> dict[str, Any]:
    """Everything a run showed, as plain values."""
    chat = players[0].chat
    return {
        "title": script.title,
        "turns": script.turns,
        "model": chat.model,
        "budget": chat.budget,
        "keep": chat.keep,
        "strategies": [row.to_json() for row in table(players)],
        "questions": [_asked(at, probe, players) for at, probe in enumerate(script.probes)],
    }


def _asked(at: int, probe: Probe, players: Sequence[Player]) -> dict[str, Any]:
    found = {player.name: player.recalled[at] for player in players}
    return {
        "id": probe.id,
        "kind": probe.kind,
        "question": probe.question,
        "answer": probe.answers[0],
        "found": {
            name: {"in_view": recalled.in_view, "score": recalled.score, "reply": recalled.reply}
            for name, recalled in found.items()
        },
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
