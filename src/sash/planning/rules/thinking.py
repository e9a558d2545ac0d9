"""Rules about thinking: its configuration, and the blocks that carry it back.

Source: "Thinking", "Troubleshooting thinking" and "Preserved thinking". A single request cannot show
whether a block still has the prefix it is bound to, nor whether blocks were dropped from the middle of a
run: that needs the history, which epochs keep. Nor can it show that an unfinished tool turn lost its
thinking, for a model may not have thought.
"""

from __future__ import annotations

from collections.abc import Iterator

from sash.model.cards import base_name
from sash.planning.rules.body import Body, Finding, about

MIN_BUDGET = 1024
EFFORTS = ("low", "medium", "high", "xhigh", "max")
MISMATCH = ("error", "drop_block")
THINKING = ("thinking", "redacted_thinking")

EFFORT_CAPPED = {
    "claude-opus-5": "disabled",
    "claude-haiku-5-5": "disabled",
    "claude-sonnet-5-5": "between_tools",
}
"""Models that can think less only up to effort high, and the mode in which they do."""

WITHOUT_XHIGH = frozenset({"claude-opus-4-6", "claude-sonnet-4-6", "claude-opus-4-5"})
"""Models older than the level, which came with Opus 4.7 (the API names the levels it takes when it refuses)."""


def thinks(body: Body) -> bool:
    """Whether the request has thinking on, by its own word or by the model's default."""
    kind = body.option("thinking").get("type")
    return body.card.thinking_default if kind is None else kind != "disabled"


def thinking_mode(body: Body) -> Iterator[Finding]:
    """Each model takes some modes only; where the card names none, any passes."""
    kind, modes = body.option("thinking").get("type"), body.card.thinking_modes
    if kind is not None and modes and kind not in modes:
        yield "thinking.type", f"{body.card.id} takes thinking {' or '.join(modes)}, not {kind!r}"
    if body.option("thinking") and kind is None:
        yield "thinking.type", "thinking needs a type, such as 'adaptive' or 'disabled'"


def thinking_budget(body: Body) -> Iterator[Finding]:
    """Manual thinking has a budget of at least 1,024 tokens, below max_tokens (unless thinking is interleaved)."""
    config = body.option("thinking")
    if config.get("type") != "enabled":
        return
    budget, limit = config.get("budget_tokens"), body.params.get("max_tokens")
    if not isinstance(budget, int) or budget < MIN_BUDGET:
        yield "thinking.budget_tokens", f"budget_tokens is at least {MIN_BUDGET}, not {budget!r}"
    elif isinstance(limit, int) and budget >= limit and not body.beta("interleaved-thinking"):
        yield "thinking.budget_tokens", f"budget_tokens {budget} must be below max_tokens {limit}; raise max_tokens"


def thinking_binding(body: Body) -> Iterator[Finding]:
    """`block_binding` says what to do with blocks whose prefix changed; not with `between_tools`."""
    binding = body.option("thinking").get("block_binding")
    if binding is None:
        return
    if body.option("thinking").get("type") == "between_tools":
        yield "thinking.block_binding", "block_binding does not go with thinking between_tools; leave one out"
    behaviour = binding.get("prefix_mismatch_behavior") if isinstance(binding, dict) else binding
    if behaviour is not None and behaviour not in MISMATCH:
        at = "thinking.block_binding.prefix_mismatch_behavior"
        yield at, f"prefix_mismatch_behavior is {' or '.join(MISMATCH)}, not {behaviour!r:.60}"


def effort(body: Body) -> Iterator[Finding]:
    """Effort has five levels; models up to 4.6 lack xhigh, and some models take none."""
    level, at = body.option("output_config").get("effort"), "output_config.effort"
    if level is None:
        return
    if not body.card.efforts:
        yield at, f"{body.card.id} takes no effort; leave it out"
    elif level not in EFFORTS:
        yield at, f"effort is one of {', '.join(EFFORTS)}, not {level!r}"
    elif level == "xhigh" and base_name(body.card.id) in WITHOUT_XHIGH:
        yield at, f"{body.card.id} has no effort xhigh; take high or max"
    elif level in ("xhigh", "max") and _thinks_less(body):
        yield at, f"effort {level} while thinking is {body.option('thinking')['type']}; at most high"


def _thinks_less(body: Body) -> bool:
    kind = body.option("thinking").get("type")
    return kind is not None and EFFORT_CAPPED.get(base_name(body.card.id)) == kind


@about(*THINKING)
def thinking_block(body: Body) -> Iterator[Finding]:
    """A thinking block goes back as it came: text (maybe empty) and signature, or opaque data."""
    for message in body.messages:
        for spot in message.spots:
            needed = {"thinking": "signature", "redacted_thinking": "data"}.get(spot.kind)
            value = spot.block.get(needed) if needed else None
            if needed and not (isinstance(value, str) and value):
                yield spot.path, f"a {spot.kind} block without {needed}; send it back as it came, or drop all thinking"
            elif spot.kind == "thinking" and not isinstance(spot.block.get("thinking"), str):
                yield spot.path, "a thinking block without its text (which may be empty); send it back as it came"


@about(*THINKING)
def thinking_last(body: Body) -> Iterator[Finding]:
    """No assistant turn ends in thinking: such a reply was cut short before it said anything."""
    for run in body.runs:
        if run.role == "assistant" and run.spots and run.spots[-1].kind in THINKING:
            yield (
                run.spots[-1].path,
                "an assistant turn ends in thinking; drop the block, or the turn if it has no other",
            )


RULES = {
    "thinking-mode": thinking_mode,
    "thinking-budget": thinking_budget,
    "thinking-binding": thinking_binding,
    "effort": effort,
    "thinking-block": thinking_block,
    "thinking-last": thinking_last,
}
