"""The judge of other libraries: what a peer would send is billed, cached and refused as sash's own requests are."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks.peers import report
from benchmarks.peers.driving import Driven, Kind, PeerFailed
from benchmarks.peers.judging import Judge, Judgement
from benchmarks.peers.kinds import ENVIRONMENTS, PEERS, REQUIREMENTS, kinds
from benchmarks.peers.peer import Body, Peer, Setting
from benchmarks.peers.recordings import made_up
from benchmarks.peers.rows import Row, judged
from benchmarks.peers.timing import timings

from lab import peer_for_tests as peers
from lab.conversations import small
from sash import Everything, lab
from sash.counting import bases
from sash.lab.probing import story
from sash.model.cards import card

CARD = replace(card("claude-sonnet-5-5"), thinking_default=False)
BUDGET = 8_000
SETTING = Setting(folder="", budget=BUDGET, keep=2_000, messages=10)


class Beside:
    """A peer in this process."""

    def __init__(self, kind: type[Peer], judge: Judge) -> None:
        self._kind, self._judge = kind, judge

    def open(self, setting: Setting) -> None:
        self._peer = self._kind(setting, self._judge.ask)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)


def lived(kind: type[Peer]) -> Judgement:
    judge = Judge(story("small", small(), 0), CARD, BUDGET)
    return judge.live(Beside(kind, judge), SETTING)


def in_a_process(name: str) -> Kind:
    return Kind(label=name, python=Path(sys.executable), module="tests.lab.peer_for_tests", name=name)


def test_a_peer_that_sends_all_costs_what_everything_costs() -> None:
    """Equal requests have equal bills and evidence, whether sash makes them or a peer."""
    (ours,) = lab.compare(small(), Everything(), CARD, BUDGET).rows
    found = lived(peers.Whole)
    assert ours.outcome is not None
    assert found.dollars == pytest.approx(ours.dollars, rel=1e-12)
    assert found.usage == ours.outcome.usage
    assert [one.share for one in found.asked] == [one.share for one in ours.asked] == [1.0, 1.0]
    assert (found.refused, found.over, found.requests) == (0, 0, ours.outcome.requests)


def test_what_the_simulator_refuses_is_counted_and_not_billed() -> None:
    """A refused request is told with its reason, costs nothing, and the conversation goes on."""
    whole, found = lived(peers.Whole), lived(peers.Odd)
    assert found.refused == 8 and found.requests == whole.requests
    assert "toolu_1" in found.problem and 0 < found.dollars < whole.dollars


def test_summaries_are_billed_but_those_for_questions() -> None:
    """What a peer has summarised is part of its dollars; a question leaves no bill, as it leaves no trace."""
    found = lived(peers.Summed)
    assert found.summaries == found.requests - 1 == 13
    assert 0 < found.summary_dollars < found.dollars


def test_a_process_answers_as_the_peer_itself() -> None:
    """Over the pipe a peer sends the same requests, may ask a model, and its errors are told with their place."""
    asked: list[Body] = []

    def ask(body: Body) -> str:
        asked.append(body)
        return "in short"

    with Driven(in_a_process("Summed"), ask) as peer:
        assert peer.about()["setup"] == "everything"
        peer.open(SETTING)
        first = peer.request({"role": "user", "content": "one"})
        peer.reply({"role": "assistant", "content": "two"})
        second = peer.request({"role": "user", "content": "three"})
    assert (first["messages"], len(asked)) == ([{"role": "user", "content": "one"}], 1)
    assert second["messages"][0]["content"] == "in short\n\nthree"
    with Driven(in_a_process("Broken"), ask) as peer, pytest.raises(PeerFailed, match=r"KeyError: 'user' \(peer_for"):
        peer.open(SETTING)
        peer.request({"role": "user", "content": "one"})
    with pytest.raises(PeerFailed, match="make peers"):
        Driven(Kind(label="", python=ENVIRONMENTS / "none", module="", name=""), ask)


def test_times_are_of_every_size_until_one_fails() -> None:
    """Each size has its times; a peer that fails at one keeps those of the smaller, and says why."""
    found = timings(in_a_process("Whole"), SETTING, [4])
    assert [one.turns for one in found.sizes] == [4] and not found.stopped
    assert timings(in_a_process("Broken"), SETTING, [4]).stopped.startswith("4 turns: measure: KeyError")


def test_the_page_tells_every_row() -> None:
    """The table has a line for each peer, with what was refused, and what went wrong in words."""
    outcome = judged("small", lived(peers.Odd), optimum=0.01)
    row = Row(label="Odd", outcomes=(outcome,), problems=("it is odd",))
    page = report.text([row], command="run", when="today", budget=BUDGET, conversations=["small"])
    assert f"| Odd | {outcome.ratio:.2f} |" in page and "| 8 of 14 |" in page and "- Odd: it is odd" in page


def test_every_peer_has_its_requirements() -> None:
    """What `make peers` installs for each environment has exact versions, and names no registry."""
    assert {one.module.rsplit(".", 1)[1] for one in kinds()} == set(PEERS)
    for name in PEERS:
        lines = (REQUIREMENTS / f"{name}.txt").read_text().splitlines()
        assert lines and all(line.count("==") == 1 and "/" not in line for line in lines)


def test_made_up_traffic_has_the_sizes_of_its_trace() -> None:
    """Words are put to a synthetic trace so that its requests add about what the trace says, on Claude's tokenizer."""
    recording, bare = made_up("office", 1, 12), lab.synthetic("office", seed=1, exchanges=12)
    sizes = recording.trace(CARD.id)
    assert len(sizes.calls) == len(bare.calls)
    assert sizes.tokens == pytest.approx(bare.tokens, rel=0.25 if bases.base("v5").name == "ctok" else 0.5)
    assert recording.questions
