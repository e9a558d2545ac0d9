"""Which client a conversation talks through: the caller's, one from the environment, or the simulator.

Raises InvalidOption or AccessDenied-to-be as early as can be: before anything is written. Keys are never
read into our own objects, printed or logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sash.claude.loading import _load_anthropic
from sash.errors import InvalidOption, NotSupported


def _load_simulator() -> Any:
    from sash import simulator  # noqa: PLC0415 - most programs never need it

    return simulator


def sync_client(client: Any) -> Any:
    """An `Anthropic`-like client. None: from the environment; "simulator": a simulator of its own."""
    if client is None:
        return _from_environment(_load_anthropic().Anthropic)
    if isinstance(client, str) and client == "simulator":
        return _load_simulator().client()
    check_client(client, waits=False)
    return client


def async_client(client: Any) -> Any:
    """The same for `AsyncAnthropic`."""
    if client is None:
        return _from_environment(_load_anthropic().AsyncAnthropic)
    if isinstance(client, str) and client == "simulator":
        return _load_simulator().async_client()
    check_client(client, waits=True)
    return client


def keyless_client() -> Any:
    """An `AsyncAnthropic` with no key but the one that `with_options(api_key=...)` gives it."""
    return _load_anthropic().AsyncAnthropic(api_key="none")


def check_client(client: Any, *, waits: bool) -> None:
    """Raise InvalidOption for what is no client, or one that does not suit a caller who waits or does not."""
    if client is None or (isinstance(client, str) and client == "simulator"):
        return
    _reject_stranger(client)
    if _is_async(client) != waits:
        what = (
            "is synchronous; use Conversation, or pass its Async twin"
            if waits
            else "is asynchronous; use AsyncConversation, or pass its synchronous twin"
        )
        raise InvalidOption(f"{type(client).__name__} {what}", option="client", value=client)


def with_middleware(client: Any, middleware: Sequence[Any]) -> Any:
    """A client that shares the connections of `client`, with `middleware` outermost. Raises InvalidOption."""
    if not middleware:
        return client
    if not hasattr(client, "with_options") or not hasattr(client, "middleware"):
        raise InvalidOption(
            f"{type(client).__name__} takes no middleware, so limits and the like cannot act on it; "
            "pass an Anthropic client of the SDK",
            option="client",
            value=client,
        )
    return client.with_options(middleware=[*middleware, *client.middleware])


def _from_environment(make: Any) -> Any:
    try:
        client = make()
    except _load_anthropic().AnthropicError as error:  # a profile or token file that is named but not there
        raise InvalidOption(
            f"no key for Claude: {error}; or set ANTHROPIC_API_KEY, or pass client=anthropic.Anthropic(...)",
            option="client",
            value=None,
        ) from error
    known = (client.api_key, client.auth_token, getattr(client, "credentials", None), client.default_headers)
    if not any(known[:3]) and not _authorised(known[3]):
        raise InvalidOption(
            "no key for Claude: set ANTHROPIC_API_KEY, pass client=anthropic.Anthropic(...), "
            'or try without a key: client="simulator"',
            option="client",
            value=None,
        )
    return client


def _authorised(headers: Any) -> bool:
    return any(str(name).lower() in ("authorization", "x-api-key") and bool(headers[name]) for name in headers)


def _reject_stranger(client: Any) -> None:
    if isinstance(client, type) or not hasattr(client, "messages") or not hasattr(client.messages, "create"):
        raise InvalidOption(
            f'client is an anthropic client, "simulator" or None, not {client!r:.60}', option="client", value=client
        )


def _is_async(client: Any) -> bool:
    return hasattr(client, "__aenter__")  # its methods are wrapped, and no longer seen to be coroutine functions


def reject_unsupported(client: Any, betas: tuple[str, ...]) -> None:
    """Raise NotSupported where the platform's client lacks what the request needs."""
    if betas and not hasattr(client, "beta"):
        raise NotSupported(
            f"{type(client).__name__} has no beta features (asked for {', '.join(betas)}); leave betas out",
            feature="betas",
        )
