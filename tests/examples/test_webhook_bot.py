"""The bot behind a webhook: who may call, what comes twice, what was left."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from examples.conftest import Load
from sash.simulator import Overloaded, Simulator


@pytest.fixture
def bot(load: Load, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example's module, with a tool that takes no time."""
    monkeypatch.setenv("STOCK_SECONDS", "0")
    return load("webhook_bot/bot.py")


def test_what_comes_twice_is_answered_once(bot: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The event that Slack sends again is not run again; what is said next in the thread knows what came before."""
    bot.demo()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("C7: ")]
    assert lines[:2] == ["C7: _stock_report is done_", "C7: The result: Shop 3 has 51 walnut cakes."]
    assert len(lines) == 3 and "51 walnut cakes" in lines[2]


def test_only_slack_may_call(bot: Any) -> None:
    """A body that is not signed, or was long ago, is refused; the first handshake is answered."""
    with TestClient(bot.app) as slack:
        assert bot.send(slack, type="url_verification", challenge="abc").json() == {"challenge": "abc"}
        assert slack.post("/slack/events", content=b"{}").status_code == 401
        old = {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": bot.signature(b"{}", "1")}
        assert slack.post("/slack/events", content=b"{}", headers=old).status_code == 401


def test_a_run_that_was_left_is_finished_after_a_restart(bot: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Where Claude failed in the middle of a run, the thread is told; the next process goes on from there."""
    sim = Simulator()
    bot.claude = sim.async_client(max_retries=0)
    sim.fail_at(2, Overloaded())
    event = {"type": "app_mention", "channel": "C7", "ts": "1.0", "text": bot.ASKED}
    with TestClient(bot.app) as slack:
        bot.send(slack, type="event_callback", event_id="1", event=event)
    assert "I cannot answer just now" in capsys.readouterr().out
    with TestClient(bot.app):
        pass
    assert capsys.readouterr().out == "C7: The result: Shop 3 has 51 walnut cakes.\n"
    with TestClient(bot.app):
        pass
    assert capsys.readouterr().out == ""


def test_a_thread_that_cannot_go_on_holds_up_no_other(bot: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """After a restart each thread that was left goes on; where Claude fails again, that is said there."""
    sim = Simulator()
    bot.claude = sim.async_client(max_retries=0)
    with TestClient(bot.app) as slack:
        for thread in ("1.0", "2.0"):
            sim.fail_next(Overloaded())
            event = {"type": "app_mention", "channel": "C7", "ts": thread, "text": bot.ASKED}
            bot.send(slack, type="event_callback", event_id=thread, event=event)
    assert capsys.readouterr().out.count("I cannot answer just now") == 2
    sim.fail_next(Overloaded())
    with TestClient(bot.app):
        pass
    told = capsys.readouterr().out
    assert "I cannot answer just now" in told and "The result: Shop 3 has 51 walnut cakes." in told
