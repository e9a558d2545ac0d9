"""Between the SDK's objects and our values: arguments, answers, errors. No I/O.

Replies are taken in their `to_dict` form (`model_dump` would add nulls that the API refuses when they
come back). Errors of the SDK become RemoteErrors with the facts a caller can act on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sash.claude.loading import _load_anthropic, _load_httpx2
from sash.errors import AccessDenied, RemoteError, RequestRejected, Unavailable
from sash.model.answers import Answer, StreamEvent, Wire
from sash.model.options import BETA, BODY
from sash.model.values import sound

_GA = {"model", "max_tokens", "messages", "system", "tools", *BODY}
_COUNTED = {"model", "messages", "system", "tools", "cache_control", "output_config", "speed", "thinking",
            "tool_choice", "user_profile_id", "workspace_id"}  # fmt: skip
MEMO = "sash_memo"
"""The field by which a reply from memory says when it was given first, and what it cost then."""
_EXTRAS = ("stop_details", "diagnostics", "input_transformations", "context_management", "container", MEMO)


def call_arguments(wire: Wire) -> dict[str, Any]:
    """Keyword arguments of `messages.create`; what its signature lacks goes through `extra_body`."""
    known = _GA | set(BETA) if wire.betas else _GA
    arguments: dict[str, Any] = {name: value for name, value in wire.body.items() if name in known}
    extra = {name: value for name, value in wire.body.items() if name not in known}
    if extra:
        arguments["extra_body"] = extra
    return arguments | _call_options(wire.betas, wire.headers, wire.timeout)


def count_arguments(params: Mapping[str, Any], betas: tuple[str, ...]) -> dict[str, Any]:
    """Keyword arguments of `messages.count_tokens`; `params` holds only what the endpoint takes."""
    known = _COUNTED | set(BETA) if betas else _COUNTED
    return {name: value for name, value in params.items() if name in known} | _call_options(betas, {}, None)


def _call_options(betas: tuple[str, ...], headers: Mapping[str, str], timeout: float | None) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if betas:
        options["betas"] = list(betas)
    if headers:
        options["extra_headers"] = dict(headers)
    if timeout is not None:
        options["timeout"] = timeout
    return options


def answer(message: Any) -> Answer:
    """A message of the SDK, whole or a stream's snapshot, as our value.

    Raises Unavailable for anything else that came with a status of success: an error object, a page of a proxy.
    """
    # A block type newer than the SDK is carried, not warned of.
    plain = message.to_dict(warnings=False) if hasattr(message, "to_dict") else {}
    content = plain.get("content")
    if plain.get("type") == "error" or not isinstance(content, str | list):
        raise _no_message(plain, message)
    return Answer(
        id=str(plain.get("id") or ""),
        model=str(plain.get("model") or ""),
        blocks=[_bare(block) for block in ([content] if isinstance(content, str) else content)],
        stop_reason=plain.get("stop_reason"),
        usage={} if plain.get(MEMO) else sound(_mapping(plain.get("usage"))),  # of a request that was never made
        message=message,
        request_id=getattr(message, "_request_id", None),
        extra={name: sound(plain[name]) for name in _EXTRAS if plain.get(name)},
    )


def tokens(answer: Any) -> int:
    """What the counting endpoint answered. Raises Unavailable for anything else that came with a status of success."""
    counted = getattr(answer, "input_tokens", None)
    if isinstance(counted, bool) or not isinstance(counted, int) or counted < 0:
        raise Unavailable(
            f"what came is no count of tokens: {answer!r:.200}; ask again later",
            status=200,
            kind="no_count",
            request_id=getattr(answer, "_request_id", None),
            retry_after=None,
            detail=f"{answer!r:.200}",
        )
    return counted


def no_batch(error: Exception) -> RemoteError:
    """What to say where an answer about batches makes no sense: what was asked for may have been done all the same."""
    return Unavailable(
        f"what came tells of no batch ({type(error).__name__}: {error!s:.200}); ask again later",
        status=None,
        kind="no_batch",
        request_id=None,
        retry_after=None,
        detail=str(error),
    )


def partial(message: Any) -> Answer:
    """A stream's snapshot; of one that is no message, what it used."""
    try:
        return answer(message)
    except Unavailable:
        usage = sound(_mapping(message.to_dict(warnings=False).get("usage"))) if hasattr(message, "to_dict") else {}
        return Answer(id="", model="", blocks=[], stop_reason=None, usage=usage, message=message)


def is_json(response: Any) -> bool:
    """Whether JSON came with a status of success where a stream was asked for."""
    return str(response.headers.get("content-type")).partition(";")[0].strip().lower() == "application/json"


def no_stream(response: Any, body: bytes) -> Unavailable:
    """What to say of a response that is JSON in the place of a stream."""
    try:
        plain = _mapping(json.loads(body))
    except ValueError:
        plain = {}
    said = body.decode(errors="replace")
    return _no_message(plain, said, response.headers.get("request-id"))


def _no_message(plain: Mapping[str, Any], message: Any, request_id: str | None = None) -> Unavailable:
    error = _mapping(plain.get("error"))
    kind, said = str(error.get("type") or "no_message"), str(error.get("message") or f"{message!r:.200}")
    return Unavailable(
        f"what came is no reply ({kind}): {said}; the turn is pending, retry() sends it again",
        status=200,
        kind=kind,
        request_id=request_id or getattr(message, "_request_id", None),
        retry_after=None,
        detail=said,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _bare(block: Any) -> Any:
    """Without what the SDK's stream helper adds of its own."""
    if not isinstance(block, dict):
        return block
    return {key: value for key, value in block.items() if key not in ("parsed_output", "__json_buf")}


def event(raw: Any) -> StreamEvent:
    """A stream helper's event, with the text it adds, or the piece of a call's input."""
    if raw.type == "content_block_delta" and raw.delta.type == "input_json_delta":
        return StreamEvent(raw, input=(raw.index, raw.delta.partial_json))
    return StreamEvent(raw, raw.text if raw.type == "text" else "")


def stream_error(error: Exception) -> RemoteError:
    """What the SDK's stream helper raised while it read events that make no sense, as ours."""
    return Unavailable(
        f"the stream cannot be read ({type(error).__name__}: {error!s:.200}); the turn is pending, retry() sends it",
        status=200,
        kind="malformed_stream",
        request_id=None,
        retry_after=None,
        detail=str(error),
    )


def error_types() -> tuple[type[Exception], ...]:
    """What the SDK may raise for the far side's sake; anything else is a bug and passes through."""
    # A truncated event is a bare JSONDecodeError and a dropped connection an httpx2 error, inside a stream.
    # A client that lacks a feature or credentials raises AnthropicError; one that lacks a package, an import error.
    return (_load_anthropic().AnthropicError, _load_httpx2().HTTPError, json.JSONDecodeError, ModuleNotFoundError)


def remote_error(error: Exception) -> RemoteError:
    """The SDK's error as ours, with status, kind, request id and what to do."""
    sdk = _load_anthropic()
    if isinstance(error, ModuleNotFoundError):
        return _unable(error, "install it (pip install 'anthropic[bedrock,vertex]')")
    if isinstance(error, sdk.AnthropicError) and not isinstance(error, sdk.APIError):
        return _unable(error, "mend the client")
    if not isinstance(error, sdk.APIStatusError):
        return Unavailable(
            f"no reply came ({type(error).__name__}); the turn is recorded as pending, retry() sends it again",
            status=None,
            kind=type(error).__name__,
            request_id=None,
            retry_after=None,
            detail=str(error),
        )
    status, kind = error.status_code, error.type
    facts = {
        "status": status,
        "kind": kind,
        "request_id": error.request_id,
        "error_code": getattr(error, "error_code", None),
        "retry_after": _retry_after(error),
        "detail": _detail(error),
    }
    if status in (400, 413, 422):
        return RequestRejected(f"Claude refused the request ({status} {kind}): {facts['detail']}", **facts)
    if status in (401, 402, 403, 404):
        return AccessDenied(
            f"no access ({status} {kind}): {facts['detail']}; mend key, plan or model, then retry()", **facts
        )
    return Unavailable(
        f"Claude is not available now ({status} {kind}): {facts['detail']}; the turn is pending, retry() sends it",
        **facts,
    )


def _unable(error: Exception, remedy: str) -> AccessDenied:
    return AccessDenied(
        f"the client cannot send this: {error}; {remedy}, then retry()",
        status=None,
        kind=type(error).__name__,
        request_id=None,
        retry_after=None,
        detail=str(error),
    )


def _detail(error: Any) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    inner = body.get("error") if isinstance(body.get("error"), dict) else {}
    return str((inner or {}).get("message") or getattr(error, "message", error))


def _retry_after(error: Any) -> float | None:
    value = error.response.headers.get("retry-after")
    try:
        return float(value) if value else None
    except ValueError:
        return None
