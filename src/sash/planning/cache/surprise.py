"""Where a bill differs from its prediction: by how much, and the likeliest cause.

`surprise` compares what a plan expected to read with what usage says, after the reply. Differences up to
2% of the prompt are noise of counting. The API's own diagnosis is believed where it was asked for
(`diagnostics`, see the "Cache diagnostics" docs). No message text is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sash.model.usage import Usage
from sash.planning.plan import Plan

TOLERANCE = 0.02
_DIAGNOSES = {
    "model_changed": "the API says the model changed",
    "system_changed": "the API says the system prompt changed",
    "tools_changed": "the API says the tools changed",
    "messages_changed": "the API says the messages changed",
    "previous_message_not_found": "the API no longer knows the request before",
    "unavailable": "the API cannot say: other parameters differ, or the change lies beyond what it compares",
}


def surprise(plan: Plan, usage: Usage, extra: Mapping[str, Any]) -> str:
    """One sentence on a read that was off by more than 2% of the prompt; "" when it was not."""
    off = usage.read - plan.expected.read
    if abs(off) <= TOLERANCE * max(1, usage.prompt):
        return ""
    how = "more" if off > 0 else "less"
    what = f"{abs(off):,} tokens {how} read from the cache than the {plan.expected.read:,} expected"
    return f"{what}: {_diagnosed(extra) or (_more(plan) if off > 0 else _less(plan, usage))}"


def _diagnosed(extra: Mapping[str, Any]) -> str:
    diagnostics = extra.get("diagnostics")
    reason = diagnostics.get("cache_miss_reason") if isinstance(diagnostics, Mapping) else None
    kind = reason.get("type") if isinstance(reason, Mapping) else None
    return _DIAGNOSES.get(str(kind), f"the API says {kind}") if kind else ""


def _more(plan: Plan) -> str:
    if plan.cut or plan.expected.read == 0:
        return "another conversation or branch had written this prefix"
    return "a longer prefix was still there, written by a sibling branch or a request that was not answered"


def _less(plan: Plan, usage: Usage) -> str:
    card, situation = plan.situation.card, plan.situation
    preamble = situation.fixed.tokens
    if usage.read == 0 and usage.write == 0:
        return f"nothing was cached: the prefix may lie below the model's minimum of {card.cache_minimum:,} tokens"
    if usage.read == 0:
        return "the entry was gone: it had expired, was evicted, or belongs to another workspace or key"
    if abs(usage.read - preamble) <= TOLERANCE * preamble + 32:
        return "only the preamble was still there: the conversation's own entry had expired or was evicted"
    if any(name in plan.sent.options for name in ("thinking", "tool_choice", "output_config")):
        return "only a part was still there: options that lose the messages level of the cache may have changed"
    return "only a part was still there: a later segment had expired, or more than 20 blocks lay between two markers"
