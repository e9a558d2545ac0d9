"""Server-side fallbacks: a declined request is served by the next model, billed for both, and goes on from there."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from sash.model.cards import card
from sash.model.usage import Usage
from sash.simulator import Refusal, Simulator
from sash.simulator.fallbacks import HOPS

from .samples import body, long, post, text, user

BETA = "server-side-fallback-2026-07-01"
FIRST, SECOND, THIRD = "claude-fable-5-1", "claude-opus-5-5", "claude-sonnet-5-5"


def asked(*models: str, **fields: Any) -> dict[str, Any]:
    """A request with fallbacks."""
    chain = [{"model": model} for model in models]
    return body(user(text(long(), "5m"), "What now?"), model=FIRST, fallbacks=chain, **fields)


def test_the_next_model_serves_what_the_first_declines(client: anthropic.Anthropic, sim: Simulator) -> None:
    """The reply holds what was said before, the seam and the other model's words; each attempt is billed."""
    sim.fail_next(Refusal(partial="Well,", category="cyber"))
    told = client.beta.messages.create(**asked(SECOND), betas=[BETA])
    kinds = [block.type for block in told.content]
    assert kinds[:2] == ["text", "fallback"] and kinds[-1] == "text" and told.stop_reason == "end_turn"
    seam = told.content[1].to_dict()
    assert (seam["from"], seam["to"]) == ({"model": FIRST}, {"model": SECOND}) and told.model == SECOND
    assert [(one.type, one.output_tokens > 0) for one in told.usage.iterations or ()] == [
        ("message", True),
        ("fallback_message", True),
    ]
    (attempt,) = sim.messages
    assert attempt.usage is not None
    half = Usage(write_5m=attempt.usage.write_5m // 2)
    assert attempt.cost > card(FIRST).cost(half) + card(SECOND).cost(half)
    again = [*asked()["messages"], {"role": "assistant", "content": [block.to_dict() for block in told.content]}]
    went_on = client.beta.messages.create(**{**body(*again, user("And then?")), "model": SECOND}, betas=[BETA])
    assert went_on.stop_reason == "end_turn" and (went_on.usage.cache_read_input_tokens or 0) > 1_000


def test_a_chain_is_followed_to_its_end() -> None:
    """Who declines hands over to the next; the last refusal stands, and what nobody declines is left alone."""
    sim = Simulator(thinking=False)
    _, plain = post(sim, asked(SECOND), betas=BETA)
    assert plain["model"] == FIRST and "iterations" not in plain["usage"]
    for declined, model in ((1, SECOND), (2, THIRD)):
        sim.fail_next(Refusal())
        if declined > 1:
            sim.fail_next(Refusal(), path=HOPS)
        _, told = post(sim, asked(SECOND, THIRD), betas=BETA)
        assert told["model"] == model and len(told["usage"]["iterations"]) == declined + 1
    sim.fail_next(Refusal())
    sim.fail_next(Refusal(), times=2, path=HOPS)
    _, told = post(sim, asked(SECOND, THIRD), betas=BETA)
    assert told["stop_reason"] == "refusal" and [one["type"] for one in told["usage"]["iterations"]] == ["message"] * 3


def test_default_means_what_the_server_says() -> None:
    """ "default" is another model where the asked one has one, and none elsewhere: the refusal stands."""
    sim = Simulator()
    for model, reason in ((FIRST, "end_turn"), (THIRD, "refusal")):
        sim.fail_next(Refusal())
        _, told = post(sim, {**asked(), "model": model, "fallbacks": "default"}, betas=BETA)
        assert told["stop_reason"] == reason


WRONG: list[Any] = [5, [], ["claude-opus-5-5"], [{}], [{"model": SECOND, "system": "x"}]]


@pytest.mark.parametrize("given", WRONG)
def test_what_is_no_chain_is_refused(given: Any) -> None:
    """Fallbacks without their form, their beta, or with a model that is none, are refused."""
    sim = Simulator()
    assert post(sim, {**asked(), "fallbacks": given}, betas=BETA)[0] == 400
    assert post(sim, asked(SECOND))[0] == 400
    sim.fail_next(Refusal())
    assert post(sim, asked("claude-none"), betas=BETA)[0] == 404
