"""Request options: everything of a request that is neither its preamble nor its messages.

Names are those of the SDK's `messages.create` (GA and beta); a misspelt one is an error before anything
is sent. What a value may be, `sash.claude.options` says; which are legal together, `sash.planning.rules`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from sash.errors import InvalidOption
from sash.model.blocks import plain
from sash.model.names import alike

BODY = (
    "cache_control", "container", "diagnostics", "inference_geo", "metadata", "output_config", "service_tier",
    "speed", "stop_sequences", "thinking", "tool_choice", "user_profile_id", "workspace_id",
)  # fmt: skip
"""Fields that go into the body of any request."""

BETA = ("billing_policy", "context_management", "fallback_credit_token", "fallbacks", "mcp_servers")
"""Fields that need a beta header (`betas=[...]`)."""

CALL = ("betas", "extra_headers", "extra_query", "extra_body", "timeout")
"""Options of the call, not of the body."""

OURS = {
    "messages": "sash assembles the messages itself; pass the new turn as content",
    "stream": "call chat.stream(...) instead of send(..., stream=True)",
    "thread": "server threads are not supported: the record is sash's own",
    "compaction": "compaction on demand is a strategy, not an option of a send",
    "temperature": "the API takes no sampling parameters since version 2026-10-21",
    "top_p": "the API takes no sampling parameters since version 2026-10-21",
    "top_k": "the API takes no sampling parameters since version 2026-10-21",
    "endpoint": "it is called count_online",
    "patience": "it is called max_wait",
    "duplicates": "it is called dedupe_window",
    "fresh": "it is called bypass_memo",
}


def check_options(
    options: Mapping[str, Any], *, beside: Collection[str] = (), elsewhere: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Return the options as plain JSON values (call options as given).

    `beside`: the names of what is given beside options in the same call; `elsewhere`: what is given in other calls,
    with where. Raises InvalidOption for a name that nobody takes, with the nearest that is taken, and for beta fields
    without `betas`.
    """
    checked: dict[str, Any] = {}
    for name, value in options.items():
        _reject_unknown(name, value, beside, {**elsewhere, **OURS})
        if value is not None:
            checked[name] = value if name in CALL else plain(value)
    beta = [name for name in BETA if name in checked]
    if beta and not checked.get("betas"):
        raise InvalidOption(
            f"{beta[0]!r} is a beta field; pass its header too: betas=[...]", option=beta[0], value=checked[beta[0]]
        )
    return checked


def asked_format(options: Mapping[str, Any]) -> Any:
    """The `format` of an `output_config`, if it has one."""
    config = options.get("output_config")
    return config.get("format") if config and isinstance(config, Mapping) else None


def _reject_unknown(name: str, value: Any, beside: Collection[str], elsewhere: Mapping[str, str]) -> None:
    if name in elsewhere:
        raise InvalidOption(f"option {name!r} cannot be given here: {elsewhere[name]}", option=name, value=value)
    taken = (*BODY, *BETA, *CALL)
    if name in taken:
        return
    known = {*taken, *beside} - {name}
    meant = alike(name, {*known, *elsewhere})
    remedy = f" That cannot be given here: {elsewhere[meant]}" if meant in elsewhere else ""
    hint = f"did you mean {meant!r}?{remedy}" if meant else f"known are {', '.join(sorted(known))}"
    raise InvalidOption(f"unknown option {name!r}; {hint}", option=name, value=value)
