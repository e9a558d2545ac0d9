"""Langfuse: traces and observations as its pages, its API and its exports give them, in JSON or JSON Lines.

Observations of the type GENERATION are calls of a model; calls of one session (else of one trace) are put together
(`sash.formats.calls`). A trace without observations is one call. Usage, cached tokens apart, and costs are kept.
Other observations say nothing that a call does not, and are counted. Source: Langfuse's API reference and its field
reference of exports, in both spellings (`usageDetails`, `usage_details`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sash.formats.calls import LoggedCall, conversations_of_calls, messages_of, reply_of
from sash.formats.chat import known, usage_of
from sash.formats.reading import Field, members_of, values
from sash.formats.values import ImportedConversation

_TYPES = ("GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL")


def recognises(sample: Sequence[Field]) -> bool:
    """Whether the values are observations or traces, or hold lists of them."""
    found = members_of(sample)
    return bool(found) and all(map(_is_ours, found))


def _is_ours(value: Field) -> bool:
    if not isinstance(value.value, dict):
        return False
    if value.get("type") in _TYPES and _get(value, "trace_id") and _get(value, "start_time"):
        return True
    for key in ("observations", "traces", "data"):
        listed = value.get(key)
        if isinstance(listed, list) and listed:
            first = Field(listed[0], value.path)
            return _is_ours(first) or (key == "traces" and _is_trace(first))
    return False


def _is_trace(value: Field) -> bool:
    return value.has("id") and value.has("timestamp") and ("input" in value.object() or "output" in value.object())


def _get(value: Field, name: str) -> Any:
    """A field in either spelling."""
    head, *rest = name.split("_")
    return value.get(name, value.get(head + "".join(map(str.capitalize, rest))))


def _time(value: Field, name: str) -> float | None:
    told = _get(value, name)
    return Field(told, value.path, value.line, name).time() if told is not None else None


def parse(text: str, *, path: str = "<text>") -> tuple[ImportedConversation, ...]:
    """The conversations behind observations. Raises InvalidImport."""
    found = values(text, path)
    others = Counter[str]()
    calls = [call for value in members_of(found.fields) for call in _calls(value, None, others)]
    none = "it holds no GENERATION, so no call of a model: export observations, too"
    return conversations_of_calls(calls, path, others=others, damaged=found.damaged, none=none)


def _calls(value: Field, trace: Field | None, others: Counter[str]) -> Iterator[LoggedCall]:
    """The calls in an observation, a trace, or whatever holds lists of them."""
    lists = {key: value.get(key) for key in ("observations", "traces", "data")}
    held = [key for key, one in lists.items() if isinstance(one, list) and one and isinstance(one[0], dict)]
    if held:
        within = value["trace"] if value.has("trace") else value if held[0] == "observations" else trace
        for one in value[held[0]].each():
            yield from _calls(one, within, others)
    elif _is_trace(value):
        yield _call(value, None)
    elif value.get("type") == "GENERATION":
        yield _call(value, trace)
    else:
        others[f"{value.get('type')} observation"] += 1


def _call(one: Field, trace: Field | None) -> LoggedCall:
    owner = trace or one
    thread = _get(one, "session_id") or _get(owner, "session_id") or _get(one, "trace_id") or owner.get("id")
    at = _time(one, "start_time") or _time(one, "timestamp")
    facts = known(
        at=_time(one, "end_time") or at,
        id=one.get("id"),
        model=_get(one, "provided_model_name") or one.get("model"),
        usage=_usage(one),
        meta=known(cost=_cost(one)),
    )
    return LoggedCall(
        thread=str(thread),
        at=at,
        prompt=messages_of(one.get("input"), one.path),
        reply=None if one.get("level") == "ERROR" else reply_of(one.get("output"), one.path, facts),
        project=_get(one, "project_id") or _get(owner, "project_id"),
    )


def _object(told: Any) -> Mapping[str, Any]:
    """An object, also where it is kept as text."""
    if isinstance(told, str):
        try:
            told = json.loads(told)
        except ValueError:
            return {}
    return told if isinstance(told, Mapping) else {}


def _usage(one: Field) -> dict[str, Any] | None:
    """Langfuse's `input` leaves out what its integrations name apart: the sum of all that is input is the prompt."""
    told = _object(_get(one, "usage_details")) or _object(one.get("usage"))
    read = sum(_whole(told.get(key)) for key in ("cache_read_input_tokens", "input_cached_tokens", "input_cache_read"))
    write = sum(_whole(told.get(key)) for key in ("cache_creation_input_tokens", "input_cache_creation"))
    fresh = _whole(told.get("input")) or _whole(told.get("input_tokens"))
    return usage_of(
        fresh + read + write, _whole(told.get("output") or told.get("output_tokens")), read=read, write=write
    )


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _cost(one: Field) -> float | None:
    told = [
        _get(one, "total_cost"),
        _get(one, "calculated_total_cost"),
        _object(_get(one, "cost_details")).get("total"),
    ]
    return next((float(cost) for cost in told if isinstance(cost, int | float)), None)
