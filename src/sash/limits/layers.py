"""What acts per attempt on a conversation's requests: arguments made into middleware, from the outside in.

Values are checked when the conversation is made; the SDK, and with it the middleware, is loaded with the client.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from sash.errors import InvalidOption
from sash.limits import Alerts, BreakerPolicy, Ceiling, Limits, MemoPolicy, RetryPolicy
from sash.limits.limiter.tiers import limits_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The layers asked for; None: left out."""

    breaker: Any = None
    """a `BreakerPolicy`, True for its defaults, or a `Breaker` shared with other clients"""
    ceilings: Any = None
    """a `Ceiling`, several, or `Ceilings`, kept in the conversation's store unless they name a book"""
    limits: Any = None
    """`Limits`, a tier's name, True to learn them from headers, or a `Limiter` shared with other clients"""
    meter: Any = None
    """True, `Alerts`, or a `Meter`; attempts are written to the conversation's store unless it names a book"""
    memo: Any = None
    """a `MemoPolicy`, True for its defaults, or a `Memo`, kept in the conversation's store unless it names a book"""
    retries: Any = None
    """a `RetryPolicy`, True for its defaults, or `Retries` shared with other clients"""

    def __post_init__(self) -> None:
        _check("breaker", self.breaker, (BreakerPolicy, bool))
        _check("meter", self.meter, (Alerts, bool))
        _check("memo", self.memo, (MemoPolicy, bool))
        _check("retries", self.retries, (RetryPolicy, bool))
        if isinstance(self.ceilings, type) or not hasattr(self.ceilings, "attempt"):
            for ceiling in _several(self.ceilings):
                _check("ceilings", ceiling, (Ceiling,))
        _check("limits", self.limits, (Limits, str, bool))
        if isinstance(self.limits, str):
            limits_of(self.limits, "")

    @property
    def ceilings_here(self) -> tuple[Ceiling, ...]:
        """The ceilings that are kept in the conversation's own store."""
        given = self.ceilings
        if hasattr(given, "attempt"):
            return () if given.has_book else tuple(given.ceilings)
        return _several(given)

    @property
    def in_dollars(self) -> bool:
        """Whether a ceiling of dollars is kept, here or in a book of its own."""
        ceilings = getattr(self.ceilings, "ceilings", ()) if hasattr(self.ceilings, "attempt") else self.ceilings_here
        return any(ceiling.dollars is not None for ceiling in ceilings)

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that these layers were made of."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def tracing(self) -> dict[str, Any]:
        """How a meter wants spans to be made."""
        return {
            "provider": getattr(self.meter, "tracer_provider", None),
            "content": getattr(self.meter, "content", False),
        }

    def middleware(self, store: Any, clock: Callable[[], float]) -> tuple[Any, ...]:
        """The middleware to add to a client, outermost first; `store` keeps what is to last.

        `clock` tells unix seconds to what is made here.
        """
        if not any(self.settings.values()):
            return ()
        made = _load_middleware()
        layers = (
            self._meter(made, store, clock),
            self._memo(made, store),
            _middleware_of(self.retries, made.Retries, RetryPolicy()),
            _middleware_of(self.breaker, made.Breaker, BreakerPolicy()),
            self._ceilings(made, store, clock),
            _middleware_of(self.limits, made.Limiter, None),
        )
        return tuple(layer for layer in layers if layer is not None)

    def _meter(self, made: Any, store: Any, clock: Callable[[], float]) -> Any:
        if not self.meter:
            return None
        alerts = self.meter if isinstance(self.meter, Alerts) else None
        asked = self.meter if hasattr(self.meter, "attempt") else made.Meter(alerts=alerts, clock=clock)
        book = getattr(store, "attempts", None)
        return asked if book is None else asked.kept_in(book)

    def _memo(self, made: Any, store: Any) -> Any:
        if not self.memo:
            return None
        asked = self.memo if hasattr(self.memo, "attempt") else made.Memo(self.memo if self.memo is not True else None)
        book = getattr(store, "memos", None)
        return asked if book is None else asked.kept_in(book)

    def _ceilings(self, made: Any, store: Any, clock: Callable[[], float]) -> Any:
        if not self.ceilings:
            return None
        given = self.ceilings
        asked = given if hasattr(given, "attempt") else made.Ceilings(_several(given), clock=clock)
        book = getattr(store, "spend", None)
        return asked if book is None else asked.kept_in(book)


def limiter(limits: Any, key: str) -> Any:
    """The middleware that keeps the requests of one API key, by its name, within `limits`."""
    return _load_middleware().Limiter(limits, key=key)


def flush(client: Any) -> None:
    """Have everything written down that a client's middleware keeps for a moment."""
    for layer in getattr(client, "middleware", ()):
        if hasattr(layer, "flush"):
            layer.flush()


def _several(given: Any) -> tuple[Any, ...]:
    """One, several or none."""
    return () if given is None else tuple(given) if isinstance(given, list | tuple) else (given,)


def _middleware_of(given: Any, kind: Any, default: Any) -> Any:
    """The middleware for a value, for True, or the one that was given itself."""
    if given is None or given is False:
        return None
    if hasattr(given, "attempt"):
        return given
    return _shared(kind, default if given is True else given)


@cache
def _shared(kind: Any, value: Any) -> Any:
    """One middleware for equal values in a process: conversations that name the same limits share them."""
    return kind(value)


def _check(name: str, value: Any, kinds: tuple[type, ...]) -> None:
    if value is None or isinstance(value, kinds) or (hasattr(value, "attempt") and not isinstance(value, type)):
        return
    known = " or ".join("True" if kind is bool else kind.__name__ for kind in kinds)
    raise InvalidOption(f"{name}={value!r:.60}: give {known}, or middleware made of one", option=name, value=value)


def _load_middleware() -> Any:
    """Our middleware, whose base is the SDK's."""
    from sash.claude import middleware  # noqa: PLC0415

    return middleware
