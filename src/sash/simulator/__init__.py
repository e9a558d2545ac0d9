"""A Claude of our own: the Messages API, in process or on loopback, precise enough to bill.

    from sash.simulator import Simulator

    sim = Simulator()
    client = sim.client()               # the unmodified SDK; sim.async_client(); with sim.serve() as url
    client.messages.create(model="claude-sonnet-5-5", max_tokens=100, messages=[...])
    sim.clock.advance(301)              # the 5 minute cache is gone
    sim.log[-1].usage, sim.cost         # what it used, what it cost
    client.messages.batches.create(...) # done 60 s later, by its clock, at half the price

Prompt caching, limits, refusals and faults follow the documentation of November 2026; what that leaves unsaid
is a switch with a cautious default. Replies are extractive: what is not in the prompt, it cannot answer.
"""

from __future__ import annotations

from typing import Any

from sash.simulator.batches import BatchRules
from sash.simulator.cache import CacheBlock, CacheRules, CacheUse, PromptCache
from sash.simulator.calls import Attempt
from sash.simulator.cassettes import Cassette
from sash.simulator.checks import CheckRules
from sash.simulator.clock import Clock
from sash.simulator.core import Simulator
from sash.simulator.faults import (
    BillingError,
    ConnectionLost,
    CutStream,
    Fault,
    HttpError,
    OddBody,
    Overloaded,
    PromptTooLong,
    RateLimited,
    Refusal,
    ServerError,
    SpendLimitReached,
    SpoiltInput,
    Stopped,
    Timeout,
)
from sash.simulator.latency import Latency
from sash.simulator.limits import Limits
from sash.simulator.prompt import PromptRules
from sash.simulator.replies import Reply
from sash.simulator.scripts import Rule, Rules, read_script

__all__ = [
    "Attempt",
    "BatchRules",
    "BillingError",
    "CacheBlock",
    "CacheRules",
    "CacheUse",
    "Cassette",
    "CheckRules",
    "Clock",
    "ConnectionLost",
    "CutStream",
    "Fault",
    "HttpError",
    "Latency",
    "Limits",
    "OddBody",
    "Overloaded",
    "PromptCache",
    "PromptRules",
    "PromptTooLong",
    "RateLimited",
    "Refusal",
    "Reply",
    "Rule",
    "Rules",
    "ServerError",
    "Simulator",
    "SpendLimitReached",
    "SpoiltInput",
    "Stopped",
    "Timeout",
    "async_client",
    "client",
    "read_script",
]


def client(**options: Any) -> Any:
    """An `anthropic.Anthropic` on a simulator of its own; `options` are the SDK's."""
    return Simulator().client(**options)


def async_client(**options: Any) -> Any:
    """An `anthropic.AsyncAnthropic` on a simulator of its own; `options` are the SDK's."""
    return Simulator().async_client(**options)
