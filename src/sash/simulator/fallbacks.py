"""Server-side fallbacks: which model is asked next when one declines ("Refusals and fallback" docs, SDK types).

A refused request is tried on each model of `fallbacks` in turn, as if it had been made to it, with the entry's own
`max_tokens`, `thinking`, `output_config` and `speed`; a `fallback` block marks where one model's words end. Guessed:
the models that "default" stands for (`DEFAULTS`), and that `model` and usage of the message are those of the model that
served it, with every attempt in `usage.iterations`. An option that the other model does not take is an error here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sash.model.cards import base_name
from sash.simulator.shapes import JsonObject, Problem

HOPS = "/v1/messages/fallbacks"
"""The path under which attempts on other models meet their faults."""
DEFAULTS = ("claude-fable-", "claude-mythos-")
"""Models with a default fallback ..."""
DEFAULT = "claude-opus-5-5"
"""... which is this one."""
_OWN = frozenset({"max_tokens", "thinking", "output_config", "speed"})


def problems(body: JsonObject) -> Iterator[Problem]:
    """What is wrong with the form of `fallbacks`."""
    given = body.get("fallbacks")
    if given is None or given == "default":
        return
    if not isinstance(given, list) or not given:
        yield Problem(rule="fallbacks", message="fallbacks: Input should be 'default' or a list of models")
        return
    for index, entry in enumerate(given):
        at = f"fallbacks.{index}"
        if not isinstance(entry, Mapping) or not isinstance(entry.get("model"), str):
            yield Problem(rule="fallbacks", message=f"{at}.model: Field required")
            continue
        for name in entry:
            if name != "model" and name not in _OWN:
                yield Problem(rule="fallbacks", message=f"{at}.{name}: Extra inputs are not permitted")


def attempts(body: JsonObject) -> list[dict[str, Any]]:
    """The bodies that are tried when the request is declined, in their order."""
    given = body.get("fallbacks") or ()
    if given == "default":
        given = [{"model": DEFAULT}] if base_name(body["model"]).startswith(DEFAULTS) else []
    plain = {name: value for name, value in body.items() if name != "fallbacks"}
    return [_attempt(plain, entry) for entry in given]


def _attempt(body: dict[str, Any], entry: JsonObject) -> dict[str, Any]:
    made = {**body, "model": entry["model"]}
    for name in _OWN & set(entry):
        value = entry[name]
        if name == "output_config" and isinstance(value, Mapping):
            value = {**(body.get(name) or {}), **value}
            value = {part: said for part, said in value.items() if said is not None}
        if value is None and name != "max_tokens":
            made.pop(name, None)
        elif value is not None:
            made[name] = value
    return made


def seam(declined: str, served: str, details: Mapping[str, Any] | None) -> dict[str, Any]:
    """The block between the words of two models."""
    trigger = {"type": "refusal", "category": (details or {}).get("category")}
    return {"type": "fallback", "from": {"model": declined}, "to": {"model": served}, "trigger": trigger}
