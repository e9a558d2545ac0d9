"""Rules about the request's top-level parameters: which exist, of what type, together with what.

The names are those of the SDK's `messages.create`, beta included. With a beta asked for, unknown names
pass: betas add fields without notice ("Versioning"). The SDK's own limits (a non-streaming `max_tokens`
above 21,333) are no rules of the API and not judged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sash.model.names import alike
from sash.planning.rules.body import Body, Finding, about, as_mapping, items
from sash.planning.rules.tools import FORCED
from sash.planning.rules.turns import DATED


class Parameter(NamedTuple):
    """What a parameter may hold, whether null counts as absent, and the beta families that bring it."""

    types: tuple[type, ...]
    nullable: bool = False
    families: tuple[str, ...] = ()


TEXT, NUMBER, SWITCH, OBJECT = (str,), (int,), (bool,), (Mapping,)
LIST = (list, tuple)

PARAMETERS: dict[str, Parameter] = {
    "max_tokens": Parameter(NUMBER),
    "messages": Parameter(LIST),
    "model": Parameter(TEXT),
    "cache_control": Parameter(OBJECT, nullable=True),
    "container": Parameter((str, Mapping), nullable=True),
    "diagnostics": Parameter(OBJECT, nullable=True),
    "inference_geo": Parameter(TEXT, nullable=True),
    "metadata": Parameter(OBJECT),
    "output_config": Parameter(OBJECT),
    "service_tier": Parameter(TEXT),
    "speed": Parameter(TEXT, nullable=True),
    "stop_sequences": Parameter(LIST),
    "stream": Parameter(SWITCH),
    "system": Parameter((str, *LIST)),
    "thinking": Parameter(OBJECT),
    "tool_choice": Parameter(OBJECT),
    "tools": Parameter(LIST),
    "user_profile_id": Parameter(TEXT),
    "workspace_id": Parameter(TEXT),
    "billing_policy": Parameter((str, Mapping), True, ("",)),
    "compaction": Parameter(OBJECT, True, ("compact-",)),
    "context_management": Parameter(OBJECT, True, ("context-management-", "compact-")),
    "fallback_credit_token": Parameter((str, Mapping), True, ("fallback-credit-",)),
    "fallbacks": Parameter((str, *LIST), True, ("server-side-fallback-",)),
    "mcp_servers": Parameter(LIST, False, ("mcp-client-",)),
    "output_format": Parameter(OBJECT, True, ("structured-outputs-",)),
    "thread": Parameter(OBJECT, True, ("message-threads-",)),
}
"""Names, types and betas of create. `families` empty: no beta needed; ("",): any beta brings it."""

REQUIRED = ("model", "max_tokens", "messages")
SAMPLING = ("temperature", "top_p", "top_k")

BETA_BLOCKS = {
    "compaction": ("compact-",),
    "tool_addition": ("mid-conversation-tool-changes-",),
    "tool_removal": ("mid-conversation-tool-changes-",),
    "mcp_tool_use": ("mcp-client-",),
    "mcp_tool_result": ("mcp-client-",),
    "fallback": ("server-side-fallback-", "fallback-credit-"),
}
"""Block types that only a beta takes."""

UNCOUNTED = (
    *("max_tokens", "metadata", "container", "diagnostics", "inference_geo", "service_tier", "stop_sequences"),
    *("stream", "thread", "fallbacks", "fallback_credit_token", "output_format"),
)
"""What create takes and count_tokens does not ("Token counting")."""

OVERRIDES = ("max_tokens", "output_config", "speed", "thinking")
"""What an entry of `fallbacks` may set otherwise than the request does, beside its model."""

MAX_INSTRUCTIONS = 16_384
MIN_TRIGGER = 50_000


def count_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a count_tokens call for the same prompt; the rest of the request's is left out."""
    return {name: value for name, value in params.items() if name not in UNCOUNTED}


def missing_parameter(body: Body) -> Iterator[Finding]:
    """model, max_tokens and messages are required."""
    for name in REQUIRED:
        if body.params.get(name) is None:
            yield name, f"{name} is missing"


def unknown_parameter(body: Body) -> Iterator[Finding]:
    """The API refuses names it does not know."""
    for name in body.params:
        if name not in PARAMETERS and name not in SAMPLING and not body.betas:
            near = alike(str(name), PARAMETERS)
            yield str(name), f"no parameter of this name{f'; did you mean {near!r}?' if near else '; leave it out'}"


def sampling_parameter(body: Body) -> Iterator[Finding]:
    """Since 2026-10-21 temperature, top_p and top_k are refused, even at their default."""
    for name in SAMPLING:
        if name in body.params and body.since(DATED):
            yield name, f"{name} is refused since API version {DATED}; leave it out"


def parameter_type(body: Body) -> Iterator[Finding]:
    """Every parameter has its JSON type; null is taken by some only."""
    for name, value in body.params.items():
        known = PARAMETERS.get(name)
        if known is None or (value is None and (known.nullable or name in REQUIRED)):
            continue
        wrong = not isinstance(value, known.types) or (isinstance(value, bool) and bool not in known.types)
        if wrong and not (Mapping in known.types and as_mapping(value) is not None):
            kinds = " or ".join("object" if kind is Mapping else kind.__name__ for kind in known.types)
            yield name, f"{name} is {kinds}, not {value!r:.60}"


def beta_missing(body: Body) -> Iterator[Finding]:
    """Beta fields and blocks need their beta header."""
    for name, value in body.params.items():
        families = PARAMETERS[name].families if name in PARAMETERS else ()
        if families and value is not None and not body.beta(*families):
            yield name, f"{name} needs a beta header{_example(families)}; pass betas=[...]"
    for message in () if body.kinds.isdisjoint(BETA_BLOCKS) else body.messages:
        for spot in message.spots:
            families = BETA_BLOCKS.get(spot.kind, ())
            if families and not body.beta(*families):
                yield spot.path, f"a {spot.kind} block needs a beta header{_example(families)}; pass betas=[...]"
    if body.option("thinking").get("block_binding") is not None and not body.beta("thinking-binding-controls-"):
        yield "thinking.block_binding", "block_binding needs a beta header (thinking-binding-controls-...)"


def _example(families: tuple[str, ...]) -> str:
    named = [f"{family}..." for family in families if family]
    return f" ({' or '.join(named)})" if named else ""


def max_tokens(body: Body) -> Iterator[Finding]:
    """At least 0 (0 only warms the cache), at most the model's maximum (betas may raise it)."""
    limit = body.params.get("max_tokens")
    if not isinstance(limit, int) or isinstance(limit, bool):
        return
    if limit < 0:
        yield "max_tokens", f"max_tokens {limit} is negative"
    if limit > body.card.max_output and not body.beta("output-"):
        yield "max_tokens", f"max_tokens {limit} is more than {body.card.id} can write: {body.card.max_output}"


def prewarm(body: Body) -> Iterator[Finding]:
    """`max_tokens: 0` fills the cache and writes nothing, so nothing may ask for output of a certain kind."""
    if body.params.get("max_tokens") != 0:
        return
    clashes = {
        "stream": body.params.get("stream") is True,
        "thinking": body.option("thinking").get("type") == "enabled",
        "output_config.format": body.option("output_config").get("format") is not None,
        "tool_choice": body.option("tool_choice").get("type") in FORCED,
    }
    for name, clash in clashes.items():
        if clash:
            yield name, f"{name} does not go with max_tokens 0; leave it out when warming the cache"


def stop_sequences(body: Body) -> Iterator[Finding]:
    """A stop sequence is a text with more than white space in it (the API's refusal: "must contain non-whitespace")."""
    for index, stop in enumerate(items(body.params.get("stop_sequences"))):
        if not isinstance(stop, str) or not stop.strip():
            yield f"stop_sequences.{index}", f"{stop!r:.60} is no text with more than white space; leave it out"


def compaction_request(body: Body) -> Iterator[Finding]:
    """Compaction on demand summarises a complete conversation and samples nothing ("Compaction on demand")."""
    config = body.option("compaction")
    if not config:
        return
    clashes = {
        "context_management": body.params.get("context_management") is not None,
        "stop_sequences": bool(body.params.get("stop_sequences")),
        "output_config.format": body.option("output_config").get("format") is not None,
        "tool_choice": body.option("tool_choice").get("type") in FORCED,
    }
    yield from ((name, f"{name} does not go with compaction; leave it out") for name, clash in clashes.items() if clash)
    if config.get("type") != "summarize":
        yield "compaction.type", f"compaction type is 'summarize', not {config.get('type')!r}"
    if len(str(config.get("instructions") or "")) > MAX_INSTRUCTIONS:
        yield "compaction.instructions", f"instructions are longer than {MAX_INSTRUCTIONS} characters; shorten them"


@about("compaction")
def compaction_block(body: Body) -> Iterator[Finding]:
    """A signed compaction block is sent back once, first of all, byte for byte."""
    signed = [spot for run in body.runs for spot in run.of("compaction") if spot.block.get("signature")]
    opening = () if body.before.messages else body.messages[:1]
    first = next((spot for message in opening for spot in message.spots[:1]), None)
    for spot in signed:
        if spot is not first:
            yield spot.path, "a signed compaction block that is not the first block; put it first, and only one"
        if None in spot.block.values():
            yield spot.path, "a compaction block with null fields; send it back as it came (to_dict, not model_dump)"


def context_edits(body: Body) -> Iterator[Finding]:
    """clear_thinking comes first among the edits; a compaction trigger is at least 50,000 tokens."""
    for index, item in enumerate(items(body.option("context_management").get("edits"))):
        edit, path = as_mapping(item) or {}, f"context_management.edits.{index}"
        if str(edit.get("type")).startswith("clear_thinking") and index:
            yield path, "clear_thinking is not the first edit; put it first"
        value = (as_mapping(edit.get("trigger")) or {}).get("value")
        if str(edit.get("type")).startswith("compact") and isinstance(value, int) and value < MIN_TRIGGER:
            yield f"{path}.trigger", f"a compaction trigger of {value} tokens; at least {MIN_TRIGGER}"


def fallbacks(body: Body) -> Iterator[Finding]:
    """Fallbacks are "default" or a list of models, each with some options of its own (SDK `BetaFallbackParam`)."""
    given = body.params.get("fallbacks")
    if (isinstance(given, str) and given != "default") or given in ([], ()):
        yield "fallbacks", f"fallbacks is 'default' or a list of models, not {given!r:.60}"
    for index, item in enumerate(items(given)):
        entry, path = as_mapping(item) or {}, f"fallbacks.{index}"
        if not isinstance(entry.get("model"), str):
            yield f"{path}.model", f"a fallback names its model, as {{'model': ...}}; here is {item!r:.60}"
        for name in entry:
            if name != "model" and name not in OVERRIDES:
                yield f"{path}.{name}", f"a fallback may set {', '.join(OVERRIDES)}; leave {name!r:.60} out"


RULES = {
    "parameter-missing": missing_parameter,
    "parameter-unknown": unknown_parameter,
    "parameter-type": parameter_type,
    "sampling-parameter": sampling_parameter,
    "beta-missing": beta_missing,
    "max-tokens": max_tokens,
    "prewarm": prewarm,
    "stop-sequence": stop_sequences,
    "compaction-request": compaction_request,
    "compaction-block": compaction_block,
    "context-edits": context_edits,
    "fallbacks": fallbacks,
}
