"""LangSmith: runs as its API, its SDK and its exports give them ("Run (span) data format"), in JSON or JSON Lines.

Runs of the type `llm` are calls of a model; calls of one thread (`thread_id`, `session_id` or `conversation_id` of a
run's metadata, else its trace) are put together (`sash.formats.calls`). Tokens, cached ones apart, and costs are
kept. Other runs (chains, tools) say nothing that a call does not, and are counted; bulk exports in Parquet are not
read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sash.formats.calls import LoggedCall, conversations_of_calls, messages_of, reply_of
from sash.formats.chat import known, usage_of
from sash.formats.reading import Field, members_of, values
from sash.formats.values import ImportedConversation

_THREAD = ("thread_id", "session_id", "conversation_id")


def recognises(sample: Sequence[Field]) -> bool:
    """Whether the values are runs, or hold a list of them."""
    found = [run for value in members_of(sample) for run in _listed(value)]
    return bool(found) and all(one.has("run_type") and (one.has("inputs") or one.has("trace_id")) for one in found)


def _listed(value: Field) -> Sequence[Field]:
    listed = value.get("runs") if isinstance(value.value, dict) else None
    return [Field(one, value.path, value.line) for one in listed] if isinstance(listed, list) else [value]


def parse(text: str, *, path: str = "<text>") -> tuple[ImportedConversation, ...]:
    """The conversations behind runs. Raises InvalidImport."""
    found = values(text, path)
    runs = [run for value in members_of(found.fields) for run in _nested(_listed(value))]
    calls = [_call(run) for run in runs if run.get("run_type") == "llm"]
    others = Counter(f"{run.get('run_type')} run" for run in runs if run.get("run_type") != "llm")
    none = "it holds no run of the type llm, so no call of a model: export these, too"
    return conversations_of_calls(calls, path, others=others, damaged=found.damaged, none=none)


def _nested(runs: Sequence[Field]) -> Iterator[Field]:
    """Runs, and those within them."""
    for run in runs:
        run.object()
        yield run
        if run.has("child_runs"):
            yield from _nested(list(run["child_runs"].each()))


def _call(run: Field) -> LoggedCall:
    extra = run.get("extra") or {}
    told = extra.get("metadata") or {}
    threads = [told.get(name) for name in _THREAD if told.get(name)]
    thread = threads[0] if threads else run.get("trace_id") or run.get("id")
    at = run["start_time"].time() if run.has("start_time") else None
    invoked = extra.get("invocation_params") or {}
    answered = run["end_time"].time() if run.has("end_time") else at
    facts = known(
        at=answered,
        id=run.get("id"),
        model=told.get("ls_model_name") or invoked.get("model") or invoked.get("model_name"),
        usage=_usage(run),
        meta=known(cost=_number(run.get("total_cost"))),
    )
    return LoggedCall(
        thread=str(thread),
        at=at,
        prompt=messages_of(run.get("inputs"), run.path),
        reply=None if run.get("error") else reply_of(run.get("outputs"), run.path, facts),
        project=run.get("session_name"),
    )


def _usage(run: Field) -> dict[str, Any] | None:
    """The run's own sums, else what the reply tells."""
    outputs = run.get("outputs") or {}
    told = outputs.get("usage_metadata") or (run.get("extra") or {}).get("usage_metadata") or _of_reply(outputs)
    parts = run.get("prompt_token_details") or told.get("input_token_details") or {}
    return usage_of(
        run.get("prompt_tokens") or told.get("input_tokens"),
        run.get("completion_tokens") or told.get("output_tokens"),
        read=parts.get("cache_read"),
        write=parts.get("cache_creation") or parts.get("cache_write"),
    )


def _of_reply(outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The usage that LangChain keeps with a reply."""
    made = outputs.get("generations") or [[]]
    first = made[0][0] if made[0] and isinstance(made[0], list) else {}
    told: Mapping[str, Any] = ((first.get("message") or {}).get("kwargs") or {}).get("usage_metadata") or {}
    return told


def _number(value: Any) -> float | None:
    try:
        return float(value) if value is not None else None
    except (TypeError, ValueError):
        return None
