"""The judge: what the Messages API would refuse with a 400 (404, 413), in code of its own.

`problems` takes a body and a model card and returns every `Problem` it finds, in the order in which the API
would stumble on them; each carries the rule's name. The rules are those of API version 2026-10-21, older ones
where the request asks for 2023-06-01. Signatures of thinking blocks and the size of the prompt are judged
elsewhere (`thinking`, `core`), for they need more than the body.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sash.model.cards import TTL_SECONDS, ModelCard, base_name
from sash.simulator import fallbacks, sealing
from sash.simulator.editing import THRESHOLD
from sash.simulator.prompt import THINKING, blocks_of, is_markable, walk
from sash.simulator.shapes import SAMPLING_FIELDS, SERVER_RESULTS, JsonObject, Problem, shape_problems
from sash.simulator.tokens import image_size, pdf_pages

VERSION = "2026-10-21"
VERSIONS = ("2023-06-01", VERSION)
MAX_BYTES = 32 * 1024 * 1024
MAX_IMAGE_BYTES = 10 * 1024 * 1024
MAX_IMAGE_EDGE = 8_000
MANY_IMAGES, MANY_IMAGES_EDGE = 20, 2_000
"""With more than so many images, none may be longer than so many pixels."""
MAX_MARKERS = 4
EFFORTS = ("low", "medium", "high", "xhigh", "max")
BINDING_BETA = "thinking-binding-controls-2026-08-01"
WITH_THINKING = "toolu_simT"
"""How the ids of tool calls begin that this simulator made after thinking: so a stripped thought can be noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRules:
    """What is refused where reports and documentation disagree; every default is the stricter reading."""

    assistant_first: bool = False
    """A conversation may open with an assistant message (seen to pass on the first-party API, refused elsewhere)."""
    whitespace_text: bool = False
    """User text of nothing but white space may be sent (in assistant messages it was seen to pass)."""
    repeated_ids: bool = False
    """A call may have the id of a call in an earlier turn (seen to pass once in 2026, reported as refused)."""


@dataclass(frozen=True)
class _Request:
    """What the rules look at."""

    body: JsonObject
    card: ModelCard
    betas: frozenset[str]
    version: str
    counting: bool
    rules: CheckRules

    @property
    def messages(self) -> list[JsonObject]:
        return list(self.body["messages"])

    @cached_property
    def turns(self) -> list[_Turn]:
        return _turns(self.messages)

    @cached_property
    def blocks(self) -> list[JsonObject]:
        """All of the messages, those inside tool results too."""
        return [block for message in self.messages for block in walk(blocks_of(message["content"]))]

    @property
    def thinking(self) -> JsonObject:
        return self.body.get("thinking") or {}

    @property
    def choice(self) -> JsonObject:
        return self.body.get("tool_choice") or {}

    def thinks(self) -> bool:
        return thinking_mode(self.body, self.card) != "disabled"


@dataclass(frozen=True, slots=True)
class _Turn:
    """A run of messages of one role; `at` is the index of its first message."""

    role: str
    at: int
    blocks: tuple[JsonObject, ...]


def problems(
    body: Any,
    card: ModelCard,
    *,
    betas: Sequence[str] = (),
    version: str = VERSION,
    counting: bool = False,
    rules: CheckRules | None = None,
) -> list[Problem]:
    """Everything that is wrong with a body for this model; empty when the API would take it.

    `counting`: judge it as a body of count_tokens. A malformed body is not judged any further.
    """
    malformed = list(shape_problems(body, frozenset(betas), counting=counting))
    if malformed:
        return malformed
    request = _Request(body, card, frozenset(betas), version, counting, rules or CheckRules())
    return [problem for rule in _RULES for problem in rule(request)]


def thinking_mode(body: JsonObject, card: ModelCard) -> str:
    """The kind of thinking a request runs with: the one it asks for, else the model's default."""
    asked = (body.get("thinking") or {}).get("type")
    return asked or ("adaptive" if card.thinking_default else "disabled")


def size_problem(size: int, most: int = MAX_BYTES) -> Problem | None:
    """Why a body of this many bytes is refused, if it is ("Errors": request size limits)."""
    if size <= most:
        return None
    message = f"Request exceeds the maximum allowed number of bytes ({size} > {most})"
    return Problem(rule="size", message=message, status=413)


def _turns(messages: Sequence[JsonObject]) -> list[_Turn]:
    """Consecutive messages of one role are one turn ("Messages" reference)."""
    runs: list[tuple[str, int, list[JsonObject]]] = []
    for index, message in enumerate(messages):
        if not runs or runs[-1][0] != message["role"]:
            runs.append((message["role"], index, []))
        runs[-1][2].extend(blocks_of(message["content"]))
    return [_Turn(role, at, tuple(blocks)) for role, at, blocks in runs]


def _compaction(request: _Request) -> Iterator[Problem]:
    yield from sealing.problems(request.body, request.card, request.betas)


def _sampling(request: _Request) -> Iterator[Problem]:
    for name in sorted(SAMPLING_FIELDS & set(request.body)):
        if request.version == VERSION:
            message = f"{name}: this parameter is not supported in API version {VERSION}; remove it"
            yield Problem(rule="sampling", message=message)


def _output_limit(request: _Request) -> Iterator[Problem]:
    limit, most = request.body.get("max_tokens") or 0, request.card.max_output
    if limit > most and "output-300k-2026-03-24" not in request.betas:
        yield Problem(
            rule="max_tokens",
            message=f"max_tokens: {limit} > {most}, which is the maximum allowed number of output tokens "
            f"for {request.card.id}",
        )


def _prewarm(request: _Request) -> Iterator[Problem]:
    """`max_tokens: 0` only fills the cache ("Prompt caching", pre-warming)."""
    if request.counting or request.body["max_tokens"] != 0:
        return
    barred = {
        "stream": bool(request.body.get("stream")),
        "thinking.type: enabled": request.thinking.get("type") == "enabled",
        "output_config.format": bool((request.body.get("output_config") or {}).get("format")),
        "tool_choice": request.choice.get("type") in ("any", "tool"),
    }
    for name, used in barred.items():
        if used:
            yield Problem(rule="prewarm", message=f"max_tokens: 0 cannot be combined with `{name}`")


def _first_message(request: _Request) -> Iterator[Problem]:
    first = request.messages[0]
    compacted = any(block.get("type") == "compaction" for block in blocks_of(first["content"]))
    if first["role"] == "assistant" and not compacted and not request.rules.assistant_first:
        yield Problem(rule="first_message", message='messages: first message must use the "user" role')


def _white_space(request: _Request) -> Iterator[Problem]:
    if request.rules.whitespace_text and request.body.get("max_tokens") != 0:
        return
    for index, message in enumerate(request.messages):
        for block in blocks_of(message["content"]) if message["role"] == "user" else ():
            if block["type"] == "text" and not block["text"].strip():
                message_text = f"messages.{index}: text content blocks must contain non-whitespace text"
                yield Problem(rule="white_space", message=message_text)


def _system_turns(request: _Request) -> Iterator[Problem]:
    """Where `role: "system"` may stand ("Mid-conversation system messages")."""
    turns = request.turns
    for index, turn in enumerate(turns):
        if turn.role != "system":
            continue
        at = f"messages.{turn.at}"
        if not request.card.system_turns:
            yield Problem(rule="system_turn", message=f"{at}.role: this model does not support `system` messages")
        elif index == 0 or not _may_precede_system(turns[index - 1]):
            yield Problem(
                rule="system_turn_place",
                message=f"{at}: a system message must follow a user message, or an assistant message that ends in "
                "a server tool result",
            )
        elif index + 1 < len(turns) and turns[index + 1].role != "assistant":
            yield Problem(
                rule="system_turn_place",
                message=f"{at}: a system message must be last or be followed by an assistant message",
            )


def _may_precede_system(turn: _Turn) -> bool:
    return turn.role == "user" or turn.blocks[-1]["type"] in SERVER_RESULTS


def _version_rules(request: _Request) -> Iterator[Problem]:
    """What version 2026-10-21 refuses and the version before took ("Migrating to API version 2026-10-21")."""
    if request.version != VERSION:
        return
    for index, message in enumerate(request.messages):
        for place, block in enumerate(blocks_of(message["content"])):
            at = f"messages.{index}.content.{place}"
            if message["role"] == "assistant" and block["type"] == "document":
                yield Problem(
                    rule="assistant_document", message=f"{at}: `document` blocks are not permitted in assistant turns"
                )
        if message["role"] == "user":
            for block in walk(blocks_of(message["content"])):
                if block.get("type") == "text" and block.get("citations"):
                    message_text = f"messages.{index}: citations are not permitted on text in user messages"
                    yield Problem(rule="user_citations", message=message_text)


def _tool_definitions(request: _Request) -> Iterator[Problem]:
    tools = request.body.get("tools") or []
    names = Counter(tool["name"] for tool in tools if isinstance(tool.get("name"), str))
    for name, times in names.items():
        if times > 1:
            yield Problem(rule="tool_names", message=f"tools: Tool names must be unique. Found {name!r} {times} times")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", name):
            yield Problem(
                rule="tool_names", message=f"tools.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$': {name}"
            )
    if tools and all(tool.get("defer_loading") for tool in tools):
        yield Problem(rule="deferred_tools", message="tools: at least one tool must not have defer_loading set")


def _tool_choice(request: _Request) -> Iterator[Problem]:
    kind, tools = request.choice.get("type"), request.body.get("tools") or []
    if kind is None:
        if request.choice:
            yield Problem(rule="tool_choice", message="tool_choice.type: Field required")
        return
    if kind not in ("auto", "any", "tool", "none"):
        yield Problem(rule="tool_choice", message="tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    if not tools and kind != "none":
        yield Problem(rule="tool_choice", message="tool_choice may only be specified while providing `tools`")
    if kind in ("any", "tool"):
        yield from _forced_choice(request, kind, tools)


def _forced_choice(request: _Request, kind: str, tools: Sequence[JsonObject]) -> Iterator[Problem]:
    if not request.card.forced_tools:
        yield Problem(rule="forced_tools", message=f"tool_choice: {request.card.id} does not support type {kind!r}")
    elif request.thinking.get("type") == "enabled":
        yield Problem(rule="forced_tools", message="Thinking may not be enabled when tool_choice forces tool use.")
    if kind == "tool" and request.choice.get("name") not in [tool.get("name") for tool in tools]:
        name = request.choice.get("name")
        yield Problem(rule="tool_choice", message=f"tool_choice: Tool {name!r} not found in provided tools")


_ID = re.compile(r"[a-zA-Z0-9_-]+")
_CALL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def _call_ids(request: _Request) -> Iterator[Problem]:
    """Ids and names of calls have a form, and no id is used twice in a conversation.

    That `tools` are missing beside them is fine: the API takes such requests since 2025-02-27.
    """
    seen: dict[str, int] = {}
    for index, message in enumerate(request.messages):
        for place, block in enumerate(blocks_of(message["content"])):
            at = f"messages.{index}.content.{place}.{block['type']}"
            if block["type"] in ("tool_use", "server_tool_use", "mcp_tool_use"):
                yield from _pattern(_ID, block["id"], f"{at}.id", "+")
                yield from _pattern(_CALL_NAME, block["name"], f"{at}.name", "{1,128}")
                if block["id"] in seen and (seen[block["id"]] == index or not request.rules.repeated_ids):
                    yield Problem(rule="call_ids", message=f"messages.{index}: `tool_use` ids must be unique")
                seen[block["id"]] = index
            elif block["type"] == "tool_result":
                yield from _pattern(_ID, block["tool_use_id"], f"{at}.tool_use_id", "+")


def _pattern(pattern: re.Pattern[str], value: str, at: str, times: str) -> Iterator[Problem]:
    if pattern.fullmatch(value) is None:
        yield Problem(rule="call_ids", message=f"{at}: String should match pattern '^[a-zA-Z0-9_-]{times}$'")


def _pairs(request: _Request) -> Iterator[Problem]:
    """Every tool_use is answered in the next user turn, results first ("Handle tool calls")."""
    turns = request.turns
    for index, turn in enumerate(turns):
        following = turns[index + 1] if index + 1 < len(turns) else None
        previous = turns[index - 1] if index else None
        if turn.role == "assistant":
            yield from _answered(turn, following)
        elif turn.role == "user":
            yield from _expected(turn, previous)


def _answered(turn: _Turn, following: _Turn | None) -> Iterator[Problem]:
    calls = [block["id"] for block in turn.blocks if block["type"] == "tool_use"]
    results = _leading_results(following) if following is not None and following.role == "user" else []
    missing = [call for call in calls if call not in results]
    if missing:
        yield Problem(
            rule="pairs",
            message=f"messages.{turn.at}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
            "message.",
        )
    if following is not None and following.role == "user" and _pending_server_tool(turn, following):
        yield Problem(
            rule="pending_server_tool",
            message=f"messages.{following.at}: only `tool_result` blocks may follow a pending server tool call",
        )


def _expected(turn: _Turn, previous: _Turn | None) -> Iterator[Problem]:
    calls = [b["id"] for b in previous.blocks if b["type"] == "tool_use"] if previous is not None else []
    results = [block["tool_use_id"] for block in turn.blocks if block["type"] == "tool_result"]
    for result in results:
        if previous is None or previous.role != "assistant" or result not in calls:
            yield Problem(
                rule="pairs",
                message=f"messages.{turn.at}: unexpected `tool_use_id` found in `tool_result` blocks: {result}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous message.",
            )
    for result, times in Counter(results).items():
        if times > 1:
            yield Problem(
                rule="pairs",
                message=f"messages.{turn.at}: each tool_use must have a single result. Found multiple `tool_result` "
                f"blocks with id: {result}",
            )


def _leading_results(turn: _Turn) -> list[str]:
    """The results at the head of a user turn: those behind text do not answer."""
    results = []
    for block in turn.blocks:
        if block["type"] != "tool_result":
            break
        results.append(block["tool_use_id"])
    return results


def _pending_server_tool(turn: _Turn, following: _Turn) -> bool:
    """Whether a server tool is still at work while the user says more than tool results."""
    called = {block["id"] for block in turn.blocks if block["type"] == "server_tool_use"}
    done = {block.get("tool_use_id") for block in turn.blocks if block["type"] in SERVER_RESULTS}
    return bool(called - done) and any(block["type"] != "tool_result" for block in following.blocks)


def _prefill(request: _Request) -> Iterator[Problem]:
    """A request may end in an assistant message on old models only, or to go on after `pause_turn`."""
    last = request.turns[-1]
    if request.body.get("compaction"):
        return
    if last.role != "assistant" or any(block["type"] == "server_tool_use" for block in last.blocks):
        return
    if len(request.messages) == 1 and any(block["type"] == "compaction" for block in last.blocks):
        return
    if not request.card.prefill:
        yield Problem(
            rule="prefill",
            message="This model does not support assistant message prefill. The conversation must end with a user "
            "message.",
        )
    elif request.thinks():
        yield Problem(rule="prefill", message="Assistant message prefill cannot be combined with thinking.")
    elif last.blocks and last.blocks[-1]["type"] == "text" and last.blocks[-1]["text"] != _trimmed(last):
        yield Problem(rule="prefill", message="messages: final assistant content cannot end with trailing whitespace")


def _trimmed(turn: _Turn) -> str:
    text: str = turn.blocks[-1]["text"]
    return text.rstrip()


def _markers(request: _Request) -> Iterator[Problem]:
    """At most 4 markers, 1 h before 5 min, none on thinking ("Prompt caching", limits)."""
    found: list[tuple[str, JsonObject]] = []
    for at, block in _markable_places(request.body):
        if block.get("cache_control") is not None:
            found.append((at, block["cache_control"]))
    automatic = request.body.get("cache_control")
    for at, control in [*found, *([("cache_control", automatic)] if automatic is not None else [])]:
        yield from _marker_form(at, control)
    if all(isinstance(control, Mapping) for _, control in found):
        yield from _marker_count(request, found, automatic)


def _markable_places(body: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Everything a marker could stand on, in prompt order, with its path."""
    for index, tool in enumerate(body.get("tools") or []):
        yield f"tools.{index}", tool
    for index, block in enumerate(blocks_of(body.get("system") or [])):
        yield f"system.{index}", block
    for index, message in enumerate(body["messages"]):
        for place, block in enumerate(blocks_of(message["content"])):
            at = f"messages.{index}.content.{place}"
            if block["type"] == "tool_result":
                for inner, part in enumerate(blocks_of(block.get("content") or [])):
                    yield f"{at}.content.{inner}", part
            yield at, block


def _marker_form(at: str, control: Any) -> Iterator[Problem]:
    if not isinstance(control, Mapping) or control.get("type") != "ephemeral":
        yield Problem(rule="marker", message=f"{at}.cache_control.type: Input should be 'ephemeral'")
        return
    if str(control.get("ttl", "5m")) not in TTL_SECONDS:
        yield Problem(rule="marker", message=f"{at}.cache_control.ttl: Input should be '5m' or '1h'")
    for name in control:
        if name not in ("type", "ttl"):
            yield Problem(rule="marker", message=f"{at}.cache_control.{name}: Extra inputs are not permitted")


def _marker_count(request: _Request, found: list[tuple[str, JsonObject]], automatic: Any) -> Iterator[Problem]:
    extra = _automatic_slot(request, automatic) if isinstance(automatic, Mapping) else None
    if isinstance(extra, Problem):
        yield extra
    slots = len(found) + (extra is True)
    if slots > MAX_MARKERS:
        yield Problem(
            rule="marker_count",
            message=f"A maximum of {MAX_MARKERS} blocks with cache_control may be provided. Found {slots}.",
        )
    short = None
    for at, control in found:
        if (control.get("ttl") or "5m") == "5m":
            short = at
        elif short is not None:
            yield Problem(
                rule="marker_order",
                message=f"{at}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
                f"cache_control block ({short})",
            )


def _automatic_slot(request: _Request, automatic: JsonObject) -> Problem | bool:
    """Whether automatic caching takes a slot of its own: not where the last block is marked already."""
    places = [(at, block) for at, block in _markable_places(request.body) if is_markable(block)]
    if not places:
        return False
    at, last = places[-1]
    if last.get("cache_control") is None:
        return True
    if (last["cache_control"].get("ttl") or "5m") == (automatic.get("ttl") or "5m"):
        return False
    return Problem(rule="marker", message=f"cache_control: its ttl differs from the one of the last block, {at}")


def _thinking_config(request: _Request) -> Iterator[Problem]:
    asked = request.thinking
    if not asked:
        return
    kind, modes = asked.get("type"), request.card.thinking_modes
    if kind not in ("adaptive", "enabled", "disabled", "between_tools"):
        yield Problem(
            rule="thinking",
            message="thinking.type: Input should be 'adaptive', 'between_tools', 'disabled' or 'enabled'",
        )
        return
    if modes and kind not in modes:
        yield Problem(
            rule="thinking_mode",
            message=f"thinking.type: {request.card.id} does not support {kind!r}; it takes {', '.join(modes)}",
        )
    if asked.get("display") not in (None, "summarized", "omitted"):
        yield Problem(rule="thinking", message="thinking.display: Input should be 'summarized' or 'omitted'")
    if kind == "enabled":
        yield from _thinking_budget(request)
    yield from _thinking_fields(request, kind)


def _thinking_budget(request: _Request) -> Iterator[Problem]:
    budget, limit = request.thinking.get("budget_tokens"), request.body.get("max_tokens")
    if not isinstance(budget, int) or budget < 1024:
        yield Problem(
            rule="thinking", message="thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        )
    elif limit is not None and budget >= limit and "interleaved-thinking-2025-05-14" not in request.betas:
        yield Problem(rule="thinking", message="`max_tokens` must be greater than `thinking.budget_tokens`")


def _thinking_fields(request: _Request, kind: str) -> Iterator[Problem]:
    fields = {"type", "display", *(["budget_tokens"] if kind == "enabled" else [])}
    if kind in ("disabled", "between_tools"):
        fields = {"type"}
    if BINDING_BETA in request.betas and kind != "between_tools":
        fields.add("block_binding")
    for name in request.thinking:
        if name not in fields:
            yield Problem(rule="thinking", message=f"thinking.{kind}.{name}: Extra inputs are not permitted")
    binding = request.thinking.get("block_binding") or {}
    if not isinstance(binding, Mapping):
        yield Problem(rule="thinking", message="thinking.block_binding: Input should be a valid dictionary")
    elif binding.get("prefix_mismatch_behavior") not in (None, "error", "drop_block"):
        yield Problem(
            rule="thinking",
            message="thinking.block_binding.prefix_mismatch_behavior: Input should be 'error' or 'drop_block'",
        )


_QUIET_UP_TO_HIGH = {
    ("claude-opus-5", "disabled"),
    ("claude-haiku-5-5", "disabled"),
    ("claude-sonnet-5-5", "between_tools"),
}


def _effort(request: _Request) -> Iterator[Problem]:
    config = request.body.get("output_config") or {}
    allowed = {"effort", "format", *(["task_budget"] if "task-budgets-2026-03-13" in request.betas else [])}
    for name in config:
        if name not in allowed:
            yield Problem(rule="unknown_field", message=f"output_config.{name}: Extra inputs are not permitted")
    effort = config.get("effort")
    if effort is None:
        return
    levels = efforts_of(request.card)
    if effort not in EFFORTS:
        yield Problem(rule="effort", message=f"output_config.effort: Input should be {', '.join(EFFORTS)}")
    elif effort not in levels:
        supported = ", ".join(sorted(levels)) or "none"
        yield Problem(
            rule="effort",
            message=f"This model does not support effort level {effort!r}. Supported levels: {supported}.",
        )
    elif (base_name(request.card.id), request.thinking.get("type")) in _QUIET_UP_TO_HIGH and effort in EFFORTS[3:]:
        yield Problem(
            rule="effort",
            message=f"thinking.type {request.thinking['type']!r} cannot be combined with effort {effort!r}",
        )


def efforts_of(card: ModelCard) -> tuple[str, ...]:
    """The effort levels a model takes: xhigh from 4.7 on, max from 4.6 on."""
    if not card.efforts:
        return ()
    if base_name(card.id) == "claude-opus-4-5":
        return EFFORTS[:3]
    return tuple(level for level in EFFORTS if level != "xhigh") if card.generation == "v3" else EFFORTS


_FAST = {"claude-opus-5-5": None, "claude-opus-5": "fast-mode-2026-02-01", "claude-opus-4-8": "fast-mode-2026-02-01"}


def _speed(request: _Request) -> Iterator[Problem]:
    """Fast mode: general on Opus 5.5, a preview behind a header on two others ("Fast mode")."""
    if request.body.get("speed") != "fast":
        return
    name = base_name(request.card.id)
    if name not in _FAST or not (_FAST[name] is None or _FAST[name] in request.betas):
        yield Problem(rule="speed", message=f"speed: {request.card.id} does not support 'fast'")


def _format(request: _Request) -> Iterator[Problem]:
    asked = (request.body.get("output_config") or {}).get("format")
    if asked is None:
        return
    if not isinstance(asked, Mapping) or asked.get("type") != "json_schema":
        yield Problem(rule="format", message="output_config.format.type: Input should be 'json_schema'")
    elif not isinstance(asked.get("schema"), Mapping):
        yield Problem(rule="format", message="output_config.format.schema: Field required")


def _open_exchange(request: _Request) -> Iterator[Problem]:
    """Thinking may not be stripped from an unfinished tool exchange on models that bind it ("Thinking")."""
    turns = [turn for turn in request.turns if turn.role != "system"]
    if request.card.open_tools_without_thinking or not request.thinks() or len(turns) < 2:
        return
    results = turns[-1]
    if results.role != "user" or any(block["type"] != "tool_result" for block in results.blocks):
        return
    for turn in _open_turns(turns):
        blocks = list(turn.blocks)
        for index, block in enumerate(blocks):
            thought = any(before["type"] in THINKING for before in blocks[:index])
            if block["type"] == "tool_use" and block["id"].startswith(WITH_THINKING) and not thought:
                yield Problem(
                    rule="open_exchange",
                    message=f"messages.{turn.at}.content.{index}.type: Expected `thinking` or `redacted_thinking`, but "
                    "found `tool_use`. Thinking blocks of an unfinished tool exchange must be passed back.",
                )


def _open_turns(turns: Sequence[_Turn]) -> Iterator[_Turn]:
    """The assistant turns since the last plain user turn, newest first."""
    for turn in reversed(turns[:-1]):
        if turn.role == "user" and any(block["type"] != "tool_result" for block in turn.blocks):
            return
        if turn.role == "assistant":
            yield turn


def _blocks(request: _Request, kind: str) -> list[JsonObject]:
    return [block for block in request.blocks if block.get("type") == kind]


def _images(request: _Request) -> Iterator[Problem]:
    """How many pictures, how large ("Vision", limits)."""
    images = _blocks(request, "image")
    if len(images) > request.card.max_images:
        yield Problem(
            rule="images", message=f"messages: too many images: {len(images)} > {request.card.max_images} maximum"
        )
    longest = MANY_IMAGES_EDGE if len(images) > MANY_IMAGES else MAX_IMAGE_EDGE
    for image in images:
        data = image["source"].get("data") or ""
        if len(data) > MAX_IMAGE_BYTES:
            yield Problem(
                rule="images", message=f"image exceeds 10 MB maximum: {len(data)} bytes > {MAX_IMAGE_BYTES} bytes"
            )
        elif max(image_size(data) or (0, 0)) > longest:
            yield Problem(
                rule="images",
                message=f"image dimensions exceed max allowed size for {len(images)} images: {longest} pixels",
            )


def _pdfs(request: _Request) -> Iterator[Problem]:
    """How many PDF pages ("PDF support", limits)."""
    sources = [block["source"] for block in _blocks(request, "document")]
    pages = sum(pdf_pages(source["data"]) for source in sources if source.get("type") == "base64")
    if pages > request.card.max_pdf_pages:
        yield Problem(rule="pdf_pages", message=f"A maximum of {request.card.max_pdf_pages} PDF pages may be provided.")


_EDITS = ("clear_tool_uses_20250919", "clear_thinking_20251015", THRESHOLD)


def _context_management(request: _Request) -> Iterator[Problem]:
    managed = request.body.get("context_management")
    if managed is None:
        return
    for name in managed:
        if name != "edits":
            yield Problem(
                rule="context_management", message=f"context_management.{name}: Extra inputs are not permitted"
            )
    if not isinstance(managed.get("edits") or [], list):
        yield Problem(rule="context_management", message="context_management.edits: Input should be a valid list")
        return
    for index, edit in enumerate(managed.get("edits") or []):
        at = f"context_management.edits.{index}"
        if not isinstance(edit, Mapping) or edit.get("type") not in _EDITS:
            yield Problem(rule="context_management", message=f"{at}.type: Input should be one of {', '.join(_EDITS)}")
        elif edit["type"] == "clear_thinking_20251015" and index > 0:
            yield Problem(rule="context_management", message=f"{at}: clear_thinking_20251015 must be the first edit")
        elif edit["type"] == "clear_thinking_20251015":
            yield from _clearing_thinking(edit, at)
        elif edit["type"] == "clear_tool_uses_20250919":
            yield from _clearing(edit, at)
        elif edit["type"] == THRESHOLD:
            yield from _threshold(request, edit, at)


THRESHOLD_BETA = "compact-2026-01-12"
LEAST_TRIGGER = 50_000


def _threshold(request: _Request, edit: JsonObject, at: str) -> Iterator[Problem]:
    """The fields of a compact_20260112 edit ("Compaction")."""
    if THRESHOLD_BETA not in request.betas:
        yield Problem(rule="context_management", message=f"{at}.type: {THRESHOLD} needs the beta {THRESHOLD_BETA}")
    if not request.card.compaction:
        yield Problem(rule="context_management", message=f"{at}: {request.card.id} does not support compaction")
    trigger = edit.get("trigger")
    value = trigger.get("value") if isinstance(trigger, Mapping) else None
    if trigger is not None and not (isinstance(value, int) and value >= LEAST_TRIGGER):
        yield Problem(
            rule="context_management", message=f"{at}.trigger.value: Input should be at least {LEAST_TRIGGER}"
        )
    for name in edit:
        if name not in ("type", "trigger", "pause_after_compaction", "instructions"):
            yield Problem(rule="context_management", message=f"{at}.{name}: Extra inputs are not permitted")


_AMOUNTS = {"trigger": ("input_tokens", "tool_uses"), "keep": ("tool_uses",), "clear_at_least": ("input_tokens",)}


def _clearing_thinking(edit: JsonObject, at: str) -> Iterator[Problem]:
    """The fields of a clear_thinking_20251015 edit ("Context editing")."""
    keep = edit.get("keep")
    turns = keep.get("value") if isinstance(keep, Mapping) and keep.get("type") == "thinking_turns" else None
    if keep not in (None, "all") and not (isinstance(turns, int) and turns > 0):
        said = "Input should be 'all', or have the type thinking_turns and a value above 0"
        yield Problem(rule="context_management", message=f"{at}.keep: {said}")
    for name in edit:
        if name not in ("type", "keep"):
            yield Problem(rule="context_management", message=f"{at}.{name}: Extra inputs are not permitted")


def _clearing(edit: JsonObject, at: str) -> Iterator[Problem]:
    """The fields of a clear_tool_uses_20250919 edit ("Context editing")."""
    for name, value in edit.items():
        if name in _AMOUNTS and value is not None:
            fits = isinstance(value, Mapping) and value.get("type") in _AMOUNTS[name]
            if not fits or not isinstance(value.get("value"), int) or value["value"] < 0:
                yield Problem(
                    rule="context_management",
                    message=f"{at}.{name}: Input should have a type ({' or '.join(_AMOUNTS[name])}) and a whole value",
                )
        elif name in ("exclude_tools", "clear_tool_inputs") and value is not None:
            if not _names(value) and not (name == "clear_tool_inputs" and isinstance(value, bool)):
                yield Problem(rule="context_management", message=f"{at}.{name}: Input should be a list of tool names")
        elif name not in ("type", *_AMOUNTS, "exclude_tools", "clear_tool_inputs"):
            yield Problem(rule="context_management", message=f"{at}.{name}: Extra inputs are not permitted")


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _fallbacks(request: _Request) -> Iterator[Problem]:
    yield from fallbacks.problems(request.body)


def _metadata(request: _Request) -> Iterator[Problem]:
    for name in request.body.get("metadata") or {}:
        if name != "user_id":
            yield Problem(rule="unknown_field", message=f"metadata.{name}: Extra inputs are not permitted")
    for name in request.body.get("diagnostics") or {}:
        if name != "previous_message_id":
            yield Problem(rule="unknown_field", message=f"diagnostics.{name}: Extra inputs are not permitted")


_RULES = (
    _compaction, _sampling, _output_limit, _metadata, _prewarm, _tool_definitions, _tool_choice, _thinking_config,
    _effort, _speed, _format, _context_management, _first_message, _white_space, _version_rules, _system_turns,
    _markers, _call_ids, _pairs, _open_exchange, _prefill, _images, _pdfs,
    _fallbacks,
)  # fmt: skip


def parse_json(raw: bytes) -> Any:
    """The body as JSON, or a Problem."""
    try:
        return json.loads(raw)
    except ValueError as error:
        return Problem(rule="json", message=f"The request body is not valid JSON: {error}")
