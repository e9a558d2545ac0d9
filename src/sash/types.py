"""The types at the door: what may be said, and the options of each call, for editors and type checkers.

Each `...Options` is what a method takes as `**options`; a name that is not in it is an error to mypy and pyright, as
it is an InvalidOption when it runs. Names and meanings of `RequestOptions` are those of the SDK's `messages.create`.
They hold no values: defaults and checks are the conversation's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, TypedDict

from sash.model.files import File

__all__ = [
    "AskOptions",
    "CallOptions",
    "Content",
    "MemoryMode",
    "Part",
    "RequestOptions",
    "Results",
    "RunOptions",
    "SdkObject",
    "SendOptions",
    "System",
    "ToolList",
]

MemoryMode: TypeAlias = Literal["none", "lean", "balanced", "full", "all"]
"""How much is remembered, from the least money to the least forgotten (`memory=` of a conversation)."""


class SdkObject(Protocol):
    """An object of the SDK, or another one that tells its fields likewise. Named here so that nothing is imported."""

    def to_dict(self) -> Mapping[str, Any]:
        """Its fields as JSON values, without those that are not set."""


Part: TypeAlias = str | Path | File | Mapping[str, Any] | SdkObject
"""A piece of a message: a text, a file (its path, or its bytes in a `File`), a content block (dict or SDK object)."""

Content: TypeAlias = Part | Sequence[Part]
"""What a user says: a text, parts in their order, or a whole user message of the SDK."""

Results: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any] | SdkObject]
"""What tools answered: results by the ids of their calls, or `tool_result` blocks."""

System: TypeAlias = str | Sequence[Mapping[str, Any] | SdkObject]
"""A system prompt: a text, or text blocks."""

ToolList: TypeAlias = Sequence[Any]
"""Typed functions, the SDK's function tools, or definitions as dicts."""


class RequestOptions(TypedDict, total=False):
    """Options of a request, as the SDK's `messages.create` names them. A conversation takes them for all its sends."""

    cache_control: Mapping[str, Any] | None
    container: Any
    diagnostics: Mapping[str, Any] | None
    inference_geo: str | None
    metadata: Mapping[str, Any] | None
    output_config: Mapping[str, Any] | None
    service_tier: str | None
    speed: str | None
    stop_sequences: Sequence[str] | None
    thinking: Mapping[str, Any] | None
    tool_choice: Mapping[str, Any] | None
    user_profile_id: str | None
    workspace_id: str | None
    billing_policy: Any
    context_management: Mapping[str, Any] | None
    fallback_credit_token: str | None
    fallbacks: Any
    mcp_servers: Sequence[Mapping[str, Any]] | None
    betas: Sequence[str] | None
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, Any] | None
    extra_body: Mapping[str, Any] | None
    timeout: float | None
    """seconds"""


class AskOptions(RequestOptions, total=False):
    """Options of whatever asks Claude. Model and system stay in force from then on."""

    model: str | None
    system: System | None
    max_tokens: int | None
    """the most tokens of one reply"""
    output_format: Any
    """a pydantic class, or a JSON schema: `reply.parsed` is of it"""


class RunOptions(AskOptions, total=False):
    """Options of `run`, beside its own arguments."""

    token: str | None
    """the caller's own name for this submission: what comes again under it gets the first one's reply"""


class CallOptions(AskOptions, total=False):
    """Options of `plan`, `count`, `submit`, `retry`, `regenerate` and `edit`."""

    tools: ToolList | None


class SendOptions(CallOptions, total=False):
    """Options of `send` and `stream`."""

    token: str | None
    """the caller's own name for this submission: what comes again under it gets the first one's reply"""
    bypass_memo: bool
    """the reply is not to come from the memo"""
