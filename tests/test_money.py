"""Money counted whole: what the record, the ceilings and the meter hold, beside what the simulator bills."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sash import Conversation, card
from sash.errors import RemoteError, ReplyInterrupted, Unavailable
from sash.limits import Ceiling
from sash.model.bill import bill, most, most_searches
from sash.simulator import CutStream, Reply, Simulator, wire

SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
SEARCHED = [
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "tides"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
    {"type": "server_tool_use", "id": "srvtoolu_2", "name": "web_search", "input": {"query": "tide tables"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_2", "content": []},
    {"type": "text", "text": "High water is at nine."},
]
LONG = "The tide comes in slowly and the boats turn at their moorings. " * 120
BRIEF = "You keep the harbour books and answer for every crate. " * 80

ROWS: dict[str, dict[str, Any]] = {
    "plain": {},
    "web search": {"tools": [SEARCH], "reply": SEARCHED},
    "kept in the US": {"inference_geo": "us"},
    "kept in the US, before 4.6": {"inference_geo": "us", "model": "claude-haiku-4-5"},
    "fast": {"model": "claude-opus-5-5", "speed": "fast"},
    "fast and kept in the US": {"model": "claude-opus-5-5", "speed": "fast", "inference_geo": "us"},
    "another model answers": {"model": "claude-opus-5-5", "stand_ins": {"claude-opus-5-5": "claude-haiku-5-5"}},
}


def talk(path: Path, sim: Simulator, **settings: Any) -> Conversation:
    """A conversation whose spending is counted by record, ceilings and meter."""
    usual = {"model": "claude-sonnet-5-5", "system": BRIEF, "max_tokens": 2_000, "count_online": False}
    layers = {"ceilings": [Ceiling(dollars=5, period="ever")], "meter": True}
    client = sim.client(max_retries=0)
    return Conversation(path, id="a", client=client, clock=sim.clock.now, **{**usual, **layers, **settings})


def told(path: Path, chat: Conversation) -> dict[str, float]:
    """Dollars by who counted them."""
    recorded = chat.usage().dollars
    chat.close()
    with closing(sqlite3.connect(path)) as db:
        metered, booked = (
            db.execute(asked).fetchone()[0]
            for asked in ("SELECT sum(cost) FROM attempts", "SELECT dollars FROM spend WHERE scope = 'all'")
        )
    return {"record": recorded, "ceilings": booked, "meter": metered}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("row", ROWS)
def test_each_row_is_recorded_as_it_is_billed(path: Path, row: str, streamed: bool) -> None:
    """Record, ceilings and meter hold what the simulator bills, whatever the price is made of."""
    settings = dict(ROWS[row])
    sim = Simulator(stand_ins=settings.pop("stand_ins", {}))
    if (reply := settings.pop("reply", None)) is not None:
        sim.script([Reply(content=reply)])
    chat = talk(path, sim, **settings)
    if streamed:
        with chat.stream("When is high water?") as stream:
            list(stream)
        answered = stream.reply
    else:
        answered = chat.send("When is high water?")
    assert answered is not None
    assert any("answered instead" in note for note in answered.notes) == (row == "another model answers")
    for who, dollars in told(path, chat).items():
        assert dollars == pytest.approx(sim.cost), who


def test_the_rows_cost_what_the_price_list_says() -> None:
    """Two searches, US, fast: each as published."""
    usage = {"input_tokens": 1_000_000, "output_tokens": 100_000}
    opus = card("claude-opus-5-5")
    assert bill(usage, opus) == pytest.approx(6.0)
    assert bill({**usage, "speed": "fast"}, opus) == pytest.approx(8 + 4)
    assert bill({**usage, "inference_geo": "us"}, opus) == pytest.approx(6.6)
    assert bill({**usage, "server_tool_use": {"web_search_requests": 2}}, opus, batch=True) == pytest.approx(3.02)
    assert bill(usage, opus, model="claude-opus-5") == pytest.approx(7.5)
    assert bill(usage, card("claude-haiku-4-5"), model="claude-haiku-4-5-20251001") == pytest.approx(1.5)
    assert bill({**usage, "inference_geo": "us"}, card("claude-haiku-4-5")) == pytest.approx(1.5)


def test_each_iteration_has_the_price_of_its_own_size() -> None:
    """Two prompts of 60,000 tokens stay below a price cliff at 100,000; another model's has that model's price."""
    haiku = card("claude-haiku-5-5")
    entry = {"type": "message", "input_tokens": 60_000, "output_tokens": 0}
    twice = {"input_tokens": 60_000, "output_tokens": 0, "iterations": [{**entry, "type": "compaction"}, entry]}
    assert bill(twice, haiku) == pytest.approx(2 * 0.006)
    advised = {**twice, "iterations": [entry, {**entry, "type": "advisor_message", "model": "claude-opus-5"}]}
    assert bill(advised, haiku) == pytest.approx(0.006 + 0.3)


@given(
    st.integers(0, 200_000), st.integers(0, 10_000), st.sampled_from(["claude-opus-5-5", "claude-haiku-5-5"]),
    st.sampled_from([{}, {"inference_geo": "us"}, {"speed": "fast"}, {"tools": [SEARCH]}]), st.integers(0, 3),
)  # fmt: skip
def test_a_bill_never_passes_its_bound(
    prompt: int, output: int, model: str, terms: dict[str, Any], searched: int
) -> None:
    """Whatever part of the prompt is written, whatever was asked for: no reply costs more than was booked for it."""
    known, found = card(model), searched if "tools" in terms else 0
    for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
        usage = {name: prompt, "output_tokens": output, "server_tool_use": {"web_search_requests": found}}
        paid = bill(usage, known, options=terms)
        assert paid is not None
        assert paid <= most(terms, known, prompt, output) + 1e-12
    assert most_searches({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}) > 0


def left(chat: Conversation) -> None:
    """Leave a stream after a few words."""
    with chat.stream("Tell me of the tide.") as stream:
        for n, _ in enumerate(stream):
            if n == 5:
                break


def broken(chat: Conversation) -> None:
    """Have it cut by the far side."""
    with pytest.raises(ReplyInterrupted), chat.stream("Tell me of the tide.") as stream:
        list(stream)


@pytest.mark.parametrize("end", [left, broken])
@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-haiku-4-5"])
def test_a_reply_that_broke_off_is_booked_as_far_as_it_came(
    path: Path, end: Callable[[Conversation], None], model: str
) -> None:
    """Its prompt is known from its first event, its output bounded by what came: no less than billed, not much more."""
    sim = Simulator()
    sim.script([Reply(content=LONG)])
    if end is broken:
        sim.fail_next(CutStream(events=14, how="lost"))
    chat = talk(path, sim, model=model)
    end(chat)
    assert chat.history()[-1].state == "interrupted"
    beside = sim.cost + 60 * card(model).price(0).output / 1e6
    for who, dollars in told(path, chat).items():
        assert sim.cost <= dollars <= beside, (who, sim.cost)


@pytest.mark.parametrize("how", ["silent", "error", "lost"])
def test_a_stream_that_only_began_is_recorded_as_it_is_billed(
    path: Path, how: Literal["silent", "error", "lost"]
) -> None:
    """Its prompt was read and is billed: the record says so too, though the turn is pending."""
    sim = Simulator()
    sim.fail_next(CutStream(events=1, how=how))
    chat = talk(path, sim)
    with pytest.raises(Unavailable) as caught, chat.stream("Tell me of the tide.") as stream:
        list(stream)
    assert caught.value.facts["state"] == chat.history()[-1].state == "pending"
    beside = sim.cost + 60 * card("claude-sonnet-5-5").price(0).output / 1e6
    for who, dollars in told(path, chat).items():
        assert sim.cost <= dollars <= beside, (who, sim.cost)


def test_a_stream_that_cannot_be_read_is_recorded_as_it_is_billed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pieces of a block come that never began, the prompt is told all the same, and all but that piece."""
    sim = Simulator()
    whole = wire.stream_events

    monkeypatch.setattr(
        wire, "stream_events", lambda *given: [e for e in whole(*given) if e["type"] != "content_block_start"]
    )
    chat = talk(path, sim)
    with pytest.raises(RemoteError, match="cannot be read"), chat.stream("Tell me of the tide.") as stream:
        list(stream)
    held = told(path, chat)
    assert sim.cost > 0
    assert held["record"] <= sim.cost + 60 * OUTPUT
    for who, dollars in held.items():  # of pieces without a block it is not known what they are, nor what stays unseen
        assert sim.cost <= dollars <= sim.cost + 600 * OUTPUT, who


def test_a_stream_of_no_message_is_recorded_as_it_is_billed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a message begins without content, nothing of it can be read, and its prompt is billed all the same."""
    sim = Simulator()
    whole = wire.stream_events

    def spoilt(*given: Any) -> list[dict[str, Any]]:
        first, *rest = whole(*given)
        return [{**first, "message": {**first["message"], "content": None}}, *rest]

    monkeypatch.setattr(wire, "stream_events", spoilt)
    chat = talk(path, sim)
    with pytest.raises(RemoteError) as caught, chat.stream("Tell me of the tide.") as stream:
        list(stream)
    assert caught.value.facts["state"] == "pending"
    held = told(path, chat)
    assert sim.cost > 0
    assert held["record"] <= sim.cost + 60 * OUTPUT
    for who, dollars in held.items():  # of pieces without a block it is not known what they are, nor what stays unseen
        assert sim.cost <= dollars <= sim.cost + 600 * OUTPUT, who


OUTPUT = card("claude-sonnet-5-5").price(0).output / 1e6
THOUGHT = {"type": "thinking", "thinking": "hm, so " * 1_500}
DRAFT = {"type": "tool_use", "name": "draft", "input": {"text": "Dear harbour master, " * 400}}


@pytest.mark.parametrize("how", ["silent", "error", "lost"])
@pytest.mark.parametrize("seconds", [0.0, 3.0, 20.0])
def test_a_thought_cut_before_its_signature_is_booked_by_the_time_it_took(
    path: Path, how: Literal["silent", "error", "lost"], seconds: float
) -> None:
    """What nobody sees is bounded by what a model can write meanwhile: no less than billed, not all of max_tokens."""
    sim = Simulator(seconds_per_token=0.01)
    sim.script([Reply(content=[THOUGHT, {"type": "text", "text": "Ebb."}])])
    sim.fail_next(CutStream(events=3, how=how, seconds=seconds))
    chat = talk(path, sim, max_tokens=30_000)
    with pytest.raises(RemoteError), chat.stream("Tell me of the tide.") as stream:
        list(stream)
    written = sim.messages[0].usage
    assert written is not None
    assert written.output >= 95 * seconds
    beside = sim.cost + (500 * (seconds + 1) + 60) * OUTPUT
    for who, dollars in told(path, chat).items():
        assert sim.cost <= dollars <= beside, (who, sim.cost)


def test_a_call_cut_in_its_input_is_booked_by_the_time_it_took(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of a call's input comes once it is whole: what was written of it before is billed, and booked."""
    monkeypatch.setattr(wire, "PIECE", 100_000)
    sim = Simulator(seconds_per_token=0.01, thinking=False)
    sim.script([[{"type": "text", "text": "I draft it."}, DRAFT]])
    sim.fail_next(CutStream(events=7, how="lost", seconds=9.0))
    chat = talk(path, sim, max_tokens=30_000)
    with pytest.raises(ReplyInterrupted), chat.stream("Write to the harbour master.") as stream:
        list(stream)
    written = sim.messages[0].usage
    assert written is not None
    assert written.output >= 800
    for who, dollars in told(path, chat).items():
        assert sim.cost <= dollars, who


def test_a_thought_of_any_length_is_never_booked_above_max_tokens(path: Path) -> None:
    """However long nothing came: a reply has no more than max_tokens."""
    sim = Simulator(seconds_per_token=0.01)
    sim.script([Reply(content=[THOUGHT])])
    sim.fail_next(CutStream(events=3, seconds=5.0))
    chat = talk(path, sim, max_tokens=1_200)
    with pytest.raises(RemoteError), chat.stream("Tell me of the tide.") as stream:
        list(stream)
    (attempt,) = sim.messages
    assert attempt.usage is not None
    most = sim.cost + (1_200 - attempt.usage.output) * OUTPUT
    for who, dollars in told(path, chat).items():
        assert dollars == pytest.approx(most), who


@pytest.mark.parametrize("words", [1, 40, 400])
def test_a_thought_that_is_not_shown_is_booked_with_the_reply_that_broke_off(path: Path, words: int) -> None:
    """However long it was: its signature is as long as what it carries, and no less than the thought is booked."""
    sim = Simulator()
    sim.script([Reply(content=[{"type": "thinking", "thinking": "hm, so " * words}, {"type": "text", "text": LONG}])])
    chat = talk(path, sim)
    left(chat)
    for who, dollars in told(path, chat).items():
        assert sim.cost <= dollars, who


def test_streams_left_early_do_not_use_up_a_ceiling(path: Path) -> None:
    """Four streams left after a few words leave nearly all of a ceiling: what was booked for them is corrected."""
    sim = Simulator()
    sim.script([Reply(content=LONG)] * 5)
    chat = talk(path, sim, ceilings=[Ceiling(dollars=0.10, period="ever")], max_tokens=6_000)
    for _ in range(4):
        left(chat)
    chat.send("And now?")
    for who, dollars in told(path, chat).items():
        assert sim.cost <= dollars <= 1.25 * sim.cost, who


def test_another_models_totals_teach_nothing(path: Path) -> None:
    """Where another model answered, its tokens say nothing of the sizes on the one asked."""
    sim = Simulator(stand_ins={"claude-opus-4-8": "claude-haiku-4-5"})
    with talk(path, sim, model="claude-opus-4-8") as chat:
        for n in range(4):
            reply = chat.send(f"Line {n}.")
        assert reply.usage.output > 0
    with closing(sqlite3.connect(path)) as db:
        taught = db.execute("SELECT count(*) FROM counts WHERE source = 'usage'").fetchone()
        assert taught[0] + db.execute("SELECT count(*) FROM preamble_counts WHERE source = 'usage'").fetchone()[0] == 0
