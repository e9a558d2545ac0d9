"""Playing a script through real conversations."""

from __future__ import annotations

import json

import pytest

from sash import Everything, SlidingWindow, SteppedWindow
from sash.demo.run import Player, table, to_json
from sash.demo.script import Script, shipped
from sash.model.blocks import readable


@pytest.fixture(scope="module")
def script() -> Script:
    """The first 60 turns of the shipped conversation."""
    return shipped().shortened(60)


def _played(script: Script, **settings: object) -> Player:
    player = Player(script, **{"budget": 2_500, **settings})  # type: ignore[arg-type]
    for _ in player.play():
        pass
    return player


@pytest.fixture(scope="module")
def played(script: Script) -> Player:
    """A run by default, played once for all who look at it."""
    return _played(script)


@pytest.fixture(scope="module")
def billed(played: Player) -> float:
    """The bill at its end."""
    return played.simulator.cost


@pytest.fixture(scope="module")
def before(played: Player) -> tuple[object, object]:
    """What it said and used."""
    return played.chat.history(), played.chat.usage()


@pytest.fixture(scope="module")
def asked(script: Script, played: Player, billed: float, before: tuple[object, object]) -> Player:
    """The same, asked every question: once, for all who look at the answers."""
    assert billed and before
    assert len(list(played.ask())) == len(script.probes)
    return played


@pytest.fixture(scope="module")
def everything(script: Script) -> Player:
    """A run that sends everything, asked every question."""
    player = _played(script, strategy=Everything())
    assert len(list(player.ask())) == len(script.probes)
    return player


def test_the_replay_is_the_real_conversation(script: Script, played: Player) -> None:
    """What the record holds after a run is what the script says, turn by turn, both sides."""
    said = [readable(blocks) for line in script.lines for blocks in (line.said, line.reply)]
    assert [turn.text for turn in played.chat.history()] == said


def test_time_passes_as_the_gaps_say(script: Script) -> None:
    """Simulator and record share one clock, which the gaps alone turn."""
    player = Player(script, budget=2_500)
    begin = player.simulator.clock.now()
    times = [at.clock - begin for at in player.play()]
    total = 0.0
    for line, passed in zip(script.lines, times, strict=True):
        total += line.gap
        assert passed == pytest.approx(total)
    recorded = [turn.at - begin for turn in player.chat.history() if turn.role == "user"]
    assert recorded == pytest.approx(times)


def test_dollars_are_the_simulators_bill(asked: Player, billed: float) -> None:
    """The totals are what the simulator billed for the lines, whatever is asked afterwards."""
    assert asked.totals.dollars == pytest.approx(billed)
    assert asked.simulator.cost > billed


def test_no_prompt_passes_the_budget(script: Script) -> None:
    """Strategies that know the budget hold it, by the simulator's own count."""
    for strategy in (None, SlidingWindow(), SteppedWindow(keep=300)):
        player = _played(script, strategy=strategy)
        assert max(a.usage.prompt for a in player.simulator.messages if a.usage) == player.totals.largest <= 2_500
        assert player.totals.cuts > 0


def test_asking_does_not_change_the_conversation(asked: Player, before: tuple[object, object]) -> None:
    """Questions go to forks: the conversation has the same turns and requests afterwards."""
    assert (asked.chat.history(), asked.chat.usage()) == before


def test_what_left_the_window_cannot_be_answered(script: Script, everything: Player) -> None:
    """Everything answers every planted fact; a window answers none that it does not hold, and all that it does."""
    assert all(found.in_view and found.score == 1.0 for found in everything.recalled)
    found = list(_played(script, memory="none").ask())
    assert {recalled.in_view for recalled in found} == {True, False}
    for recalled in found:
        assert recalled.score == float(bool(recalled.in_view)), recalled.probe.id


def test_the_table_compares_with_the_first_run(script: Script, asked: Player, everything: Player) -> None:
    """The first row costs 1.00 times itself; the JSON holds the same numbers."""
    players = [asked, everything]
    ours, other = table(players)
    assert ours.times == 1.0
    assert other.times == pytest.approx(everything.totals.dollars / asked.totals.dollars)
    found = json.loads(json.dumps(to_json(script, players)))
    assert [row["dollars"] for row in found["strategies"]] == [player.totals.dollars for player in players]


def test_the_default_answers_more_than_no_memory() -> None:
    """What a conversation does by default, a demo's first row: what a small window lost comes back."""
    script = shipped().shortened(120)
    usual, none = (_played(script, budget=4_000, **chosen) for chosen in ({}, {"memory": "none"}))
    usual_score, none_score = ([found.score for found in player.ask()] for player in (usual, none))
    assert sum(usual_score) / len(usual_score) > sum(none_score) / len(none_score) + 0.3


@pytest.mark.slow
def test_the_whole_demo_runs() -> None:
    """The shipped conversation is played whole within the demo's budget; all of it together answers every question."""
    whole = shipped()
    assert whole.turns >= 300
    everything = _played(whole, budget=8_000, strategy=Everything())
    ours = _played(whole, budget=8_000)
    assert ours.totals.largest <= 8_000
    assert ours.totals.dollars < everything.totals.dollars
    assert all(found.score == 1.0 for found in everything.ask())
