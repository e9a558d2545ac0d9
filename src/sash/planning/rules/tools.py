"""Rules about tools: every call answered at once, results first, ids and names well formed, the choice allowed.

Source: "Handle tool calls", "Handling stop reasons", "Tool use overview" and the models' "What's new"
pages. Whether a call's input fits its schema is not judged: the model wrote it. Tool blocks may stand in a
request without `tools`: the API takes them since 2025-02-27, so that is no problem.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from sash.planning.rules.body import Body, Finding, MergedTurn, Spot, about, as_mapping
from sash.planning.rules.turns import is_server_result

SERVER_CALLS = ("server_tool_use", "mcp_tool_use")
WAIT = "send tool results only, or the paused assistant turn as it is, or drop the call"
BOTH = "keep both or drop both"
CHOICES = ("auto", "any", "tool", "none")
FORCED = ("any", "tool")
ID = re.compile(r"[a-zA-Z0-9_-]+")
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def call_id(spot: Spot) -> str:
    """The id that pairs a call with its result, seen from either side."""
    return str(spot.block.get("tool_use_id" if spot.kind.endswith("tool_result") else "id"))


@about("tool_use")
def tool_unanswered(body: Body) -> Iterator[Finding]:
    """Every tool call is answered in the very next user turn."""
    for run, after in zip(body.runs, (*body.runs[1:], None), strict=False):
        answered = _ids(after, "user", "tool_result")
        for call in run.of("tool_use") if run.role == "assistant" else ():
            if call_id(call) not in answered:
                yield call.path, f"tool call {call_id(call)!r} has no tool_result in the next user turn; add one"


@about("tool_result")
def tool_orphan(body: Body) -> Iterator[Finding]:
    """Every tool result answers a call of the assistant turn right before it."""
    for before, run in zip((None, *body.runs), body.runs, strict=False):
        calls = _ids(before, "assistant", "tool_use")
        for result in run.of("tool_result") if before or not body.continues_thread else ():
            if call_id(result) not in calls:
                yield result.path, f"tool_result {call_id(result)!r} without its call in the turn before; {BOTH}"


def _ids(run: MergedTurn | None, role: str, kind: str) -> set[str]:
    return {call_id(spot) for spot in run.of(kind)} if run and run.role == role else set()


@about("tool_result")
def tool_result_first(body: Body) -> Iterator[Finding]:
    """In a user turn all tool results stand before anything else."""
    for run in body.runs:
        other: Spot | None = None
        for spot in run.spots if run.role == "user" else ():
            if spot.kind != "tool_result":
                other = other or spot
            elif other is not None:
                yield spot.path, f"a tool_result after the {other.kind} block at {other.path}; put all results first"


@about("tool_result")
def tool_result_twice(body: Body) -> Iterator[Finding]:
    """A call has one result."""
    for run in body.runs:
        yield from _repeated(run.of("tool_result"), "a second tool_result for {!r}; keep one")


@about("tool_use", *SERVER_CALLS)
def tool_id_twice(body: Body) -> Iterator[Finding]:
    """Every call of a conversation has an id of its own ("`tool_use` ids must be unique").

    One recorded request with an id used again in a later turn passed, public reports have it refused.
    """
    calls = [spot for run in body.runs for spot in run.of("tool_use", *SERVER_CALLS)]
    text = "tool call id {!r} is used twice; give each call an id of its own"
    yield from _repeated(calls, text, before=body.before.calls)


def _repeated(spots: list[Spot], text: str, before: frozenset[str] = frozenset()) -> Iterator[Finding]:
    seen: set[str] = set()
    for spot in spots:
        if call_id(spot) in seen or call_id(spot) in before:
            yield spot.path, text.format(call_id(spot))
        seen.add(call_id(spot))


@about("tool_use", "tool_result", *SERVER_CALLS)
def tool_call_shape(body: Body) -> Iterator[Finding]:
    """A call has an id and a name of letters, digits, _ and -, and an object as input; its result names the id."""
    for run in body.runs:
        for spot in run.of("tool_use", *SERVER_CALLS):
            if not _matches(ID, spot.block.get("id")):
                yield spot.path, f"tool call id {spot.block.get('id')!r:.80}; use letters, digits, _ and - only"
            if not _matches(NAME, spot.block.get("name")):
                at = f"tool name {spot.block.get('name')!r:.80}"
                yield spot.path, f"{at} of a call; use 1 to 128 letters, digits, _ and -"
            if as_mapping(spot.block.get("input")) is None:
                yield spot.path, "a tool call's input is an object; a call cut short by max_tokens cannot be sent back"
        for spot in run.of("tool_result"):
            if not _matches(ID, spot.block.get("tool_use_id")):
                yield spot.path, f"tool_use_id {spot.block.get('tool_use_id')!r:.80}; use letters, digits, _ and - only"


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def server_result_orphan(body: Body) -> Iterator[Finding]:
    """The result of a server's tool stands after its call."""
    if not any(map(is_server_result, body.kinds)):
        return
    called = set(body.before.server_calls)
    for spot in (spot for message in body.messages for spot in message.spots):
        if spot.kind in SERVER_CALLS:
            called.add(call_id(spot))
        elif is_server_result(spot.kind) and call_id(spot) not in called and not body.continues_thread:
            yield spot.path, f"a {spot.kind} for {call_id(spot)!r} without the call before it; {BOTH}"


@about(*SERVER_CALLS)
def server_call_open(body: Body) -> Iterator[Finding]:
    """While a server's tool is still running, user turns hold the results of client tools and nothing else."""
    waiting: dict[str, Spot] = {}
    for run in body.runs:
        other = [spot for spot in run.spots if spot.kind != "tool_result"]
        if waiting and run.role == "user" and other:
            call = next(iter(waiting.values()))
            yield other[0].path, f"a {other[0].kind} block before the result of the server call at {call.path}; {WAIT}"
        for spot in run.spots:
            if spot.kind in SERVER_CALLS:
                waiting[call_id(spot)] = spot
            elif is_server_result(spot.kind):
                waiting.pop(call_id(spot), None)


def tool_definition(body: Body) -> Iterator[Finding]:
    """A tool of one's own has a name and an object schema; all names differ."""
    for spot in body.tools:
        if spot.kind != "custom":
            continue
        if not _matches(NAME, spot.block.get("name")):
            yield spot.path, f"tool name {spot.block.get('name')!r:.80}; use 1 to 128 letters, digits, _ and -"
        schema = as_mapping(spot.block.get("input_schema"))
        if schema is None or schema.get("type") != "object":
            yield spot.path, "a tool needs an input_schema of type 'object'"
    names = Counter(str(spot.block["name"]) for spot in body.tools if "name" in spot.block)
    for name, count in names.items():
        if count > 1:
            yield "tools", f"{count} tools are named {name!r}; names must be unique"


def tool_choice_value(body: Body) -> Iterator[Finding]:
    """auto, any, none, or one tool by name; a forced choice needs tools to choose from."""
    choice = body.option("tool_choice")
    if not choice:
        return
    kind = choice.get("type")
    if kind not in CHOICES:
        yield "tool_choice.type", f"tool_choice is one of {', '.join(CHOICES)}, not {kind!r}"
    if kind in FORCED and not (body.tools or body.params.get("mcp_servers") or body.continues_thread):
        yield "tool_choice", f"tool_choice {kind} without tools; give tools or leave it out"
    if kind == "tool" and not _offered(body, choice.get("name")):
        yield "tool_choice.name", f"tool_choice names {choice.get('name')!r}, which is not among the tools"


def _offered(body: Body, name: object) -> bool:
    """Toolsets, MCP servers and tools added on the way offer names that `tools` does not list."""
    listed = [spot.block.get("name") for spot in body.tools]
    added = body.before.adds_tools or any(spot.kind == "tool_addition" for spot in body.blocks)
    return name in listed or None in listed or added or body.continues_thread


def tool_choice_forced(body: Body) -> Iterator[Finding]:
    """Some models refuse a forced choice; manual thinking excludes it on all."""
    kind = body.option("tool_choice").get("type")
    if kind not in FORCED:
        return
    if not body.card.forced_tools:
        yield (
            "tool_choice",
            f"{body.card.id} takes no forced tool_choice ({kind}); use auto and ask for the tool in text",
        )
    elif body.option("thinking").get("type") == "enabled":
        yield "tool_choice", f"tool_choice {kind} while thinking is enabled; use auto, or turn thinking off"


RULES = {
    "tool-unanswered": tool_unanswered,
    "tool-orphan": tool_orphan,
    "tool-result-first": tool_result_first,
    "tool-result-twice": tool_result_twice,
    "tool-id-twice": tool_id_twice,
    "tool-call-shape": tool_call_shape,
    "server-result-orphan": server_result_orphan,
    "server-call-open": server_call_open,
    "tool-definition": tool_definition,
    "tool-choice-value": tool_choice_value,
    "tool-choice-forced": tool_choice_forced,
}
