# ruff: noqa: E501 - a table has one line for each row
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

**Where the rules come from.** For each rule by which a request is refused (`simulator.check` names them): its source,
and what of it is a guess. Sources are pages of Anthropic's documentation of November 2026 in quotation marks, the types
of its SDK 2.11 (SDK), and refusals seen in recordings and public reports (seen). A guess is the stricter reading
wherever there are two.

| rule | refused | source | guessed |
|---|---|---|---|
| `json`, `body` | a body that is no JSON, or no object | seen | the wording |
| `route`, `version`, `key` | an unknown path, API version or key | "Errors", "Versioning" | the wording |
| `model` | an unknown or retired model | "Errors", "Model deprecations" | |
| `missing_field`, `unknown_field`, `field_type`, `option` | fields that are absent, unknown or of another type | SDK | which of several faults is named first |
| `not_simulated` | `fallback_credit_token`, `billing_policy` and other features that are not offered here | | nothing: the real API takes them |
| `size` | bodies above 32 MB (batches 256, files 500) | "Errors" | |
| `messages`, `message`, `role`, `content`, `empty_content` | lists and messages without their form; more than 100,000 | SDK, seen | |
| `empty_text`, `empty_text_marker` | empty text, and markers on it | "Errors", seen | |
| `white_space` | user text of white space alone | "Prompt caching" (pre-warming) | that it holds elsewhere (`CheckRules`) |
| `first_message` | a conversation that the assistant opens | "Messages" | seen to pass as well (`CheckRules`) |
| `block_type`, `block_role` | blocks that do not exist, or not in this role | SDK | |
| `source` | pictures and documents without their form, bytes of another kind | SDK, seen | |
| `system`, `tools`, `stop_sequences` | what has not the form of these | SDK | |
| `tool_names`, `deferred_tools` | doubled or odd names; tools that are all deferred | seen | |
| `tool_choice`, `forced_tools` | choices without tools; forced ones on models that take none, or with thinking | "What's new in", "Thinking" | that the 5.2 models refuse them |
| `call_ids` | ids and names of calls of another form, and ids used twice | seen | twice in two turns (`CheckRules`) |
| `pairs`, `pending_server_tool` | calls without results, results without calls, text before them | "Handle tool calls", "Handling stop reasons" | |
| `system_turn`, `system_turn_place` | system messages on models without, or where they may not stand | "Mid-conversation system messages" | that Haiku 5.5 takes none |
| `prefill` | a request that ends with the assistant | "What's new in", "Handling stop reasons" | |
| `sampling`, `assistant_document`, `user_citations` | what API version 2026-10-21 takes no more | "Migrating to API version 2026-10-21" | |
| `max_tokens`, `prewarm` | more than the model writes; 0 beside what it cannot go with | "Prompt caching", SDK | |
| `marker`, `marker_count`, `marker_order` | markers of another form, more than four, 5 min before 1 h | "Prompt caching" | |
| `thinking`, `thinking_mode`, `effort`, `speed`, `format` | settings that the model, or each other, rule out | "Thinking", "Effort", "Fast mode", SDK | |
| `open_exchange` | an open tool exchange without its thinking | "Thinking" | that a stripped thought is always noticed |
| `thinking_altered`, `thinking_signature`, `thinking_binding` | thinking that was changed, is of another make, or stands elsewhere | "Preserved thinking" | how a signature looks; who reads the thoughts of models before 5.5 |
| `compaction` | compaction requests and blocks that are not as they must be | "Compaction on demand" | |
| `context_management` | edits of another form or in another order | "Context editing", "Compaction" | that `clear_thinking` keeps one turn where it does not say |
| `fallbacks` | fallbacks of another form, or whose model does not take the request | "Refusals and fallback", SDK | what "default" stands for; that an option the other model does not take is an error |
| `thread` | threads that are gone, continued already, or go with something else | "Message threads" | which fields must stay the same; what combines with no thread |
| `file` | files that are not there, uploads of another form | "Files", SDK | that an unknown file is 404 |
| `images`, `pdf_pages` | too many or too large pictures, too many pages | "Vision", "PDF support" | |
| `window` | prompts beyond the model's window | "Context windows" | the numbers in its wording |
| `limits`, `fault` | rate limits and spending; whatever a test asked for | "Rate limits", "Errors" | limits of Haiku 5.5 |
| `batch`, `batch_item` | batches and items of another form | "Batch processing" | |

Beside refusals: how much of the cache a request finds where the documentation is silent is `CacheRules`, sizes of what
the API adds are in `sash.simulator.tokens`, prices in `sash.model.cards`, the pace of `latency="real"` is a guess.
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
