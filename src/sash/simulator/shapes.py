"""The form of a request: which fields exist, which blocks may stand where. Tables, and one walk that applies them.

The tables follow the Messages API reference and the types of its SDK (2.11). Answers are `Problem`s with the
API's own wording where it is known. What a well-formed request may mean (pairs, markers, thinking, models)
is judged in `checks`.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why the API would refuse a request: the rule's name here, and what the error body says."""

    rule: str
    message: str
    status: int = 400
    kind: str | None = None
    """the error's `type`; None: that of its status"""
    code: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"


CREATE_FIELDS = frozenset(
    {"cache_control", "container", "diagnostics", "inference_geo", "max_tokens", "messages", "metadata", "model",
     "output_config", "service_tier", "speed", "stop_sequences", "stream", "system", "thinking", "tool_choice",
     "tools", "user_profile_id", "workspace_id"}
)  # fmt: skip
COUNT_FIELDS = frozenset(
    {"cache_control", "messages", "model", "output_config", "speed", "system", "thinking", "tool_choice", "tools",
     "user_profile_id", "workspace_id"}
)  # fmt: skip
SAMPLING_FIELDS = frozenset({"temperature", "top_p", "top_k"})
BETA_FIELDS = {
    "compaction": ("compact-2026-09-04",),
    "context_management": ("context-management-2025-06-27", "compact-2026-01-12"),
    "fallbacks": ("server-side-fallback-2026-06-01", "server-side-fallback-2026-07-01"),
    "mcp_servers": ("mcp-client-2025-04-04", "mcp-client-2025-11-20", "mcp-client-2026-09-15"),
}
NOT_SIMULATED = frozenset({"fallback_credit_token", "billing_policy"})

_MARK = frozenset({"cache_control"})


@dataclass(frozen=True, slots=True)
class _Shape:
    required: frozenset[str]
    optional: frozenset[str]
    roles: frozenset[str]
    betas: tuple[str, ...] = ()


def _shape(required: str, optional: str = "", roles: str = "user assistant", betas: tuple[str, ...] = ()) -> _Shape:
    return _Shape(frozenset(required.split()), frozenset(optional.split()), frozenset(roles.split()), betas)


_COMPACTION = ("compact-2026-01-12", "compact-2026-09-04")
_TOOL_CHANGES = ("mid-conversation-tool-changes-2026-07-01",)
_MCP = BETA_FIELDS["mcp_servers"]
BLOCKS: dict[str, _Shape] = {
    "text": _shape("text", "cache_control citations", "user assistant system"),
    "image": _shape("source", "cache_control transformations", "user"),
    "document": _shape("source", "cache_control citations context title", "user assistant"),
    "search_result": _shape("content source title", "cache_control citations"),
    "thinking": _shape("signature thinking", roles="assistant"),
    "redacted_thinking": _shape("data", roles="assistant"),
    "tool_use": _shape("id input name", "cache_control caller toolset_name", "assistant"),
    "tool_result": _shape("tool_use_id", "cache_control content is_error toolset_name", "user"),
    "server_tool_use": _shape("id input name", "cache_control caller", "assistant"),
    "web_search_tool_result": _shape("content tool_use_id", "cache_control caller", "assistant"),
    "web_fetch_tool_result": _shape("content tool_use_id", "cache_control caller", "assistant"),
    "advisor_tool_result": _shape("content tool_use_id", "cache_control", "assistant"),
    "code_execution_tool_result": _shape("content tool_use_id", "cache_control", "assistant"),
    "bash_code_execution_tool_result": _shape("content tool_use_id", "cache_control", "assistant"),
    "text_editor_code_execution_tool_result": _shape("content tool_use_id", "cache_control", "assistant"),
    "tool_search_tool_result": _shape("content tool_use_id", "cache_control", "assistant"),
    "container_upload": _shape("file_id", "cache_control"),
    "mcp_tool_use": _shape("id input name server_name", "cache_control", "assistant", _MCP),
    "mcp_tool_result": _shape("tool_use_id", "cache_control content is_error", "user assistant", _MCP),
    "mcp_tool_listing": _shape("mcp_server_name tools", roles="assistant", betas=_MCP),
    "compaction": _shape(
        "content", "cache_control signature encrypted_content tool_changes", "user assistant", _COMPACTION
    ),
    "tool_addition": _shape("tool", "cache_control", "system", _TOOL_CHANGES),
    "tool_removal": _shape("tool", "cache_control", "system", _TOOL_CHANGES),
    "fallback": _shape("from to", "trigger", "assistant"),
}
IN_TOOL_RESULT = frozenset({"text", "image", "document", "search_result", "tool_reference", "browser_state"})
SERVER_RESULTS = frozenset(kind for kind in BLOCKS if kind.endswith("_tool_result"))
SERVER_TOOLS = ("advisor_", "bash_", "browser_", "code_execution_", "computer_", "mcp_toolset", "memory_",
                "text_editor_", "tool_search_tool_", "web_fetch_", "web_search_")  # fmt: skip
_SYSTEM_MESSAGE_BETAS = {
    "output_config": "mid-conversation-output-config-2026-07-01",
    "clear_at": "mid-conversation-system-clear-at-2026-08-21",
}
_TOOL_FIELDS = frozenset(
    {"allowed_callers", "cache_control", "defer_loading", "description", "eager_input_streaming", "input_examples",
     "input_schema", "name", "strict", "type"}
)  # fmt: skip
_SOURCES = {
    "image": {"base64": {"data", "media_type"}, "url": {"url"}, "file": {"file_id"}},
    "document": {"base64": {"data", "media_type"}, "text": {"data", "media_type"}, "content": {"content"},
                 "url": {"url"}, "file": {"file_id"}},
}  # fmt: skip
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_MEDIA = {"image": {"image/jpeg", "image/png", "image/gif", "image/webp"}}


def shape_problems(body: Any, betas: frozenset[str], *, counting: bool) -> Iterator[Problem]:
    """What is malformed in a body (of count_tokens when `counting`)."""
    if not isinstance(body, Mapping):
        yield Problem(rule="body", message="Input should be a valid dictionary")
        return
    yield from _top_level(body, betas, COUNT_FIELDS if counting else CREATE_FIELDS)
    yield from _required(body, counting)
    yield from _system(body.get("system"))
    yield from _messages(body.get("messages"), betas)
    yield from _tools(body.get("tools"))
    yield from _options(body)


def _top_level(body: JsonObject, betas: frozenset[str], fields: frozenset[str]) -> Iterator[Problem]:
    for name in body:
        needed = BETA_FIELDS.get(name)
        if name in fields or name in SAMPLING_FIELDS or (needed and betas & set(needed)):
            continue
        if name in NOT_SIMULATED:
            yield Problem(rule="not_simulated", message=f"{name}: the simulator does not offer this beta feature")
        else:
            yield Problem(rule="unknown_field", message=f"{name}: Extra inputs are not permitted")


def _required(body: JsonObject, counting: bool) -> Iterator[Problem]:
    for name in ("model", "messages") if counting else ("model", "messages", "max_tokens"):
        if body.get(name) is None:
            yield Problem(rule="missing_field", message=f"{name}: Field required")
    limit = body.get("max_tokens")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        yield Problem(
            rule="max_tokens", message="max_tokens: Input should be a valid integer, greater than or equal to 0"
        )
    if body.get("model") is not None and not isinstance(body["model"], str):
        yield Problem(rule="model", message="model: Input should be a valid string")


def _system(system: Any) -> Iterator[Problem]:
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        yield Problem(rule="system", message="system: Input should be a valid string or a list of text blocks")
        return
    for index, block in enumerate(system):
        at = f"system.{index}"
        if not isinstance(block, Mapping) or block.get("type") != "text":
            yield Problem(rule="system", message=f"{at}.type: Input should be 'text'")
        else:
            yield from _fields(block, BLOCKS["text"], f"{at}")
            yield from _text(block, at)


def _messages(messages: Any, betas: frozenset[str]) -> Iterator[Problem]:
    if messages is None:
        return
    if not isinstance(messages, list):
        yield Problem(rule="messages", message="messages: Input should be a valid list")
        return
    if not messages:
        yield Problem(rule="messages", message="messages: at least one message is required")
    if len(messages) > 100_000:
        yield Problem(rule="messages", message="messages: List should have at most 100000 items")
    for index, message in enumerate(messages):
        yield from _message(message, f"messages.{index}", betas, last=index == len(messages) - 1)


def _message(message: Any, at: str, betas: frozenset[str], *, last: bool) -> Iterator[Problem]:
    if not isinstance(message, Mapping) or "content" not in message or "role" not in message:
        yield Problem(rule="message", message=f"{at}: Input should be an object with `role` and `content`")
        return
    role, content = message["role"], message["content"]
    if role not in ("user", "assistant", "system"):
        yield Problem(rule="role", message=f'{at}.role: Input should be "user", "assistant" or "system"')
        return
    yield from _message_fields(message, at, betas)
    if isinstance(content, str):
        content = [{"type": "text", "text": content}] if content else []
    if not isinstance(content, list):
        yield Problem(rule="content", message=f"{at}.content: Input should be a valid string or list")
    elif not content and not (last and role == "assistant"):
        yield Problem(
            rule="empty_content",
            message=f"{at}: all messages must have non-empty content except for the optional final assistant message",
        )
    else:
        for index, block in enumerate(content):
            yield from _block(block, role, f"{at}.content.{index}", betas)


def _message_fields(message: JsonObject, at: str, betas: frozenset[str]) -> Iterator[Problem]:
    for name in message:
        beta = _SYSTEM_MESSAGE_BETAS.get(name)
        if name not in ("role", "content") and not (beta in betas and message["role"] == "system"):
            yield Problem(rule="unknown_field", message=f"{at}.{name}: Extra inputs are not permitted")


def _block(block: Any, role: str, at: str, betas: frozenset[str]) -> Iterator[Problem]:
    kind = block.get("type") if isinstance(block, Mapping) else None
    shape = BLOCKS.get(kind) if isinstance(kind, str) else None
    if shape is None or (shape.betas and not betas & set(shape.betas)):
        yield Problem(
            rule="block_type",
            message=f"{at}: Input tag {kind!r} found using 'type' does not match any of the expected tags",
        )
        return
    if role not in shape.roles:
        yield Problem(rule="block_role", message=f"{at}: `{kind}` blocks are not permitted in `{role}` messages")
    yield from _fields(block, shape, f"{at}.{kind}")
    yield from _contents(block, f"{at}.{kind}")


def _fields(block: JsonObject, shape: _Shape, at: str) -> Iterator[Problem]:
    for name in sorted(shape.required - set(block)):
        yield Problem(rule="missing_field", message=f"{at}.{name}: Field required")
    for name, value in block.items():
        optional = name in shape.optional
        if name != "type" and name not in shape.required and not optional:
            yield Problem(rule="unknown_field", message=f"{at}.{name}: Extra inputs are not permitted")
        elif name in _TYPES and not isinstance(value, _TYPES[name]) and not (optional and value is None):
            yield Problem(rule="field_type", message=f"{at}.{name}: Input should be a valid {_named(_TYPES[name])}")


_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(
        ("text", "thinking", "signature", "data", "id", "name", "tool_use_id", "file_id", "title", "context"), (str,)
    ),
    **dict.fromkeys(("input", "cache_control", "tool", "caller"), (dict,)),
    "citations": (dict, list),
    "is_error": (bool,),
    "tools": (list,),
}
_NAMES: dict[type, str] = {str: "string", dict: "dictionary", list: "list", bool: "boolean", int: "integer"}


def _named(types: tuple[type, ...]) -> str:
    return " or ".join(_NAMES[kind] for kind in types)


def _contents(block: JsonObject, at: str) -> Iterator[Problem]:
    kind = block["type"]
    if kind == "text":
        yield from _text(block, at)
    elif kind in _SOURCES:
        yield from _source(block.get("source"), kind, at)
    elif kind == "tool_result":
        yield from _parts(block.get("content"), IN_TOOL_RESULT, f"{at}.content")
    elif kind == "search_result":
        yield from _parts(block.get("content"), frozenset({"text"}), f"{at}.content")
    elif kind == "compaction" and not isinstance(block.get("content"), str | None):
        yield Problem(rule="field_type", message=f"{at}.content: Input should be a valid string")
    elif "content" in block and not isinstance(block["content"], str | list | dict | None):
        yield Problem(rule="field_type", message=f"{at}.content: Input should be a valid string, list or dictionary")


def _text(block: JsonObject, at: str) -> Iterator[Problem]:
    text = block.get("text")
    if "text" in block and not isinstance(text, str):
        yield Problem(rule="field_type", message=f"{at}.text: Input should be a valid string")
    elif isinstance(text, str) and not text and block.get("cache_control"):
        yield Problem(rule="empty_text_marker", message=f"{at}: cache_control cannot be set for empty text blocks")
    elif isinstance(text, str) and not text:
        yield Problem(rule="empty_text", message="messages: text content blocks must be non-empty")


def _source(source: Any, kind: str, at: str) -> Iterator[Problem]:
    fields = _SOURCES[kind].get(str(source.get("type"))) if isinstance(source, Mapping) else None
    if fields is None:
        yield Problem(rule="source", message=f"{at}.source: Input should be one of {', '.join(_SOURCES[kind])}")
        return
    for name in sorted(fields):
        if name == "content" and source.get(name) is not None:
            yield from _parts(source[name], frozenset({"text", "image"}), f"{at}.source.content")
        elif not isinstance(source.get(name), str):
            yield Problem(rule="source", message=f"{at}.source.{name}: Input should be a valid string")
    media = source.get("media_type")
    if kind in _MEDIA and source["type"] == "base64" and str(media) not in _MEDIA[kind]:
        known = ", ".join(sorted(_MEDIA[kind]))
        yield Problem(rule="source", message=f"{at}.source.base64.media_type: Input should be {known}")
    elif source["type"] == "base64" and isinstance(source.get("data"), str):
        yield from _encoded(source["data"], str(media), at)


def _encoded(data: str, media: str, at: str) -> Iterator[Problem]:
    """Bytes in base64 that are what they are said to be."""
    at = f"{at}.source.base64"
    text = data.replace("\r", "").replace("\n", "")
    if len(text) % 4 or not _BASE64.fullmatch(text):
        yield Problem(rule="source", message=f"{at}.data: Invalid base64 data")
        return
    head = binascii.a2b_base64(text[:24])
    is_png, is_jpeg, is_gif = head[1:4] == b"PNG", head[:2] == b"\xff\xd8", head[:3] == b"GIF"
    is_webp, is_pdf = head[:4] + head[8:12] == b"RIFFWEBP", head[:4] == b"%PDF"
    seen = {"image/png": is_png, "image/jpeg": is_jpeg, "image/gif": is_gif, "image/webp": is_webp}
    for kind in (kind for kind, found in {**seen, "application/pdf": is_pdf}.items() if found and kind != media):
        yield Problem(
            rule="source",
            message=f"{at}: The data was specified using the {media} media type, but it appears to be {kind}",
        )


def _parts(content: Any, kinds: frozenset[str], at: str) -> Iterator[Problem]:
    """Blocks inside a block."""
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        yield Problem(rule="field_type", message=f"{at}: Input should be a valid string or list")
        return
    for index, part in enumerate(content):
        inner = f"{at}.{index}"
        kind = part.get("type") if isinstance(part, Mapping) else None
        if not isinstance(kind, str) or kind not in kinds:
            yield Problem(rule="block_type", message=f"{inner}: Input tag does not match any of the expected tags")
        elif kind in BLOCKS:
            yield from _fields(part, BLOCKS[kind], f"{inner}.{kind}")
            yield from _contents(part, f"{inner}.{kind}")


def _tools(tools: Any) -> Iterator[Problem]:
    if tools is None:
        return
    if not isinstance(tools, list):
        yield Problem(rule="tools", message="tools: Input should be a valid list")
        return
    for index, tool in enumerate(tools):
        at = f"tools.{index}"
        if not isinstance(tool, Mapping):
            yield Problem(rule="tools", message=f"{at}: Input should be a valid dictionary")
        elif (tool.get("type") or "custom") == "custom":
            yield from _custom_tool(tool, f"{at}.custom")
        elif not str(tool["type"]).startswith(SERVER_TOOLS):
            yield Problem(
                rule="tools",
                message=f"{at}: Input tag {tool['type']!r} found using 'type' does not match any of the expected tags",
            )
        elif not isinstance(tool.get("cache_control"), dict | None):
            yield Problem(rule="field_type", message=f"{at}.cache_control: Input should be a valid dictionary")


def _custom_tool(tool: JsonObject, at: str) -> Iterator[Problem]:
    for name in ("name", "input_schema"):
        if name not in tool:
            yield Problem(rule="missing_field", message=f"{at}.{name}: Field required")
    for name in tool:
        if name not in _TOOL_FIELDS:
            yield Problem(rule="unknown_field", message=f"{at}.{name}: Extra inputs are not permitted")
    for name, types in (("name", str), ("description", str | None), ("cache_control", dict | None)):
        if name in tool and not isinstance(tool[name], types):
            yield Problem(rule="field_type", message=f"{at}.{name}: Input has the wrong type")
    schema = tool.get("input_schema")
    if "input_schema" in tool and not (isinstance(schema, Mapping) and schema.get("type") == "object"):
        yield Problem(rule="tools", message=f"{at}.input_schema.type: Input should be 'object'")


_OBJECTS = (
    "cache_control",
    "thinking",
    "output_config",
    "tool_choice",
    "metadata",
    "diagnostics",
    "context_management",
)

_STRINGS = (
    ("cache_control", "ttl"), ("thinking", "type"), ("thinking", "display"), ("output_config", "effort"),
    ("tool_choice", "type"), ("tool_choice", "name"), ("metadata", "user_id"), ("diagnostics", "previous_message_id"),
)  # fmt: skip


def _options(body: JsonObject) -> Iterator[Problem]:
    for name in _OBJECTS:
        if body.get(name) is not None and not isinstance(body[name], Mapping):
            yield Problem(rule="field_type", message=f"{name}: Input should be a valid dictionary")
    for outer, inner in _STRINGS:
        value = body[outer].get(inner) if isinstance(body.get(outer), Mapping) else None
        if value is not None and not isinstance(value, str):
            yield Problem(rule="field_type", message=f"{outer}.{inner}: Input should be a valid string")
    stops = body.get("stop_sequences")
    if stops is not None and not (isinstance(stops, list) and all(isinstance(stop, str) for stop in stops)):
        yield Problem(rule="field_type", message="stop_sequences: Input should be a list of strings")
    elif stops and not all(stop.strip() for stop in stops):
        yield Problem(rule="stop_sequences", message="stop_sequences: each stop sequence must contain non-whitespace")
    if body.get("stream") is not None and not isinstance(body["stream"], bool):
        yield Problem(rule="field_type", message="stream: Input should be a valid boolean")
    if body.get("service_tier") not in (None, "auto", "standard_only"):
        yield Problem(rule="option", message="service_tier: Input should be 'auto' or 'standard_only'")
    if body.get("speed") not in (None, "standard", "fast"):
        yield Problem(rule="option", message="speed: Input should be 'standard' or 'fast'")
