"""A pool of API keys: one client for each, over shared connections. Keys are never printed, logged or recorded.

The record knows a key by the name it has here. Which one a request goes with is decided in `sash.flows.request.keys`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sash.claude.loading import _load_anthropic
from sash.errors import InvalidOption
from sash.limits import Limits
from sash.limits.layers import limiter
from sash.limits.limiter.tiers import limits_of
from sash.model.keys import KeyPoolView, KeyScope
from sash.model.settings import settings


@settings
@dataclass(frozen=True, slots=True)
class Key:
    """One API key. `name` is what everybody may know of it; `limits`: its own, or a tier's name, kept by a limiter.

    Two keys share a prompt cache where they name the same `workspace`; name an `organization` where they belong to
    different accounts. Raises InvalidOption.
    """

    name: str
    secret: str = field(repr=False)
    workspace: str = ""
    organization: str = ""
    limits: Limits | str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise InvalidOption("a key has a name, by which the record knows it", option="keys", value=None)
        if not isinstance(self.secret, str) or not self.secret.strip():
            raise InvalidOption(f"key {self.name!r} is empty", option="keys", value=None)
        if self.name == self.secret:
            raise InvalidOption("name a key by anything but itself: names are recorded", option="keys", value=None)
        if isinstance(self.limits, str):
            limits_of(self.limits, "")


@settings
@dataclass(frozen=True, slots=True)
class KeyPool:
    """Keys that stand in for one another. A conversation sticks to its key, for its cache lives there.

    It moves when the key is refused or limited: to one with the same cache where there is one, and not where the move
    would cost more than `most` dollars. A limited key rests for `rest` seconds, for everybody. Raises InvalidOption.
    """

    keys: Sequence[Key]
    most: float | None = None
    rest: float = 60.0

    def __post_init__(self) -> None:
        keys = self.keys
        if isinstance(keys, str) or not isinstance(keys, Sequence) or not keys:
            raise InvalidOption("a pool takes a list of Keys", option="keys", value=None)
        if not all(isinstance(key, Key) for key in keys):
            raise InvalidOption("a pool takes Keys: Key(name, secret)", option="keys", value=None)
        names = [key.name for key in keys]
        if len(set(names)) < len(names):
            raise InvalidOption(f"two keys of one name among {', '.join(names)}", option="keys", value=None)
        if not self.rest >= 0 or (self.most is not None and not self.most >= 0):
            raise InvalidOption("rest is seconds, most is dollars, neither below 0", option="keys", value=None)

    @property
    def places(self) -> KeyPoolView:
        """The pool without its secrets."""
        return KeyPoolView(
            scopes=tuple(
                KeyScope(name=key.name, workspace=key.workspace, organization=key.organization) for key in self.keys
            ),
            most=self.most,
            rest=self.rest,
        )


def as_pool(given: Any) -> KeyPool | None:
    """A pool, a list of keys as a pool, or None. Raises InvalidOption for anything else."""
    if given is None or isinstance(given, KeyPool):
        return given
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise InvalidOption("keys is a KeyPool or a list of Keys: Key(name, secret)", option="keys", value=None)
    return KeyPool(tuple(given))


def first_client(pool: KeyPool | None, client: Any, *, waits: bool) -> Any:
    """The client to begin with, where only keys were given."""
    if pool is None or client is not None:
        return client
    sdk = _load_anthropic()
    return (sdk.AsyncAnthropic if waits else sdk.Anthropic)(api_key=pool.keys[0].secret)


class Clients:
    """A client for each key. What names no key (counting, summaries) goes with the key that was used last."""

    def __init__(self, client: Any, keyed: Mapping[str, Any] | None = None) -> None:
        self.client = client
        self._keyed = keyed or {}
        self._last = ""

    def of(self, key: str) -> Any:
        """The client for a key by its name."""
        self._last = key or self._last
        return self._keyed.get(self._last, self.client)


def keyed(pool: KeyPool | None, client: Any) -> dict[str, Any]:
    """A client for each key, by the key's name: the same connections, the same middleware, limits of its own."""
    if pool is None:
        return {}
    if not hasattr(client, "with_options"):
        raise InvalidOption(
            f"{type(client).__name__} takes no other key; pass an Anthropic client of the SDK",
            option="keys",
            value=None,
        )
    return {key.name: client.with_options(api_key=key.secret, **_limited(key, client)) for key in pool.keys}


def _limited(key: Key, client: Any) -> dict[str, Any]:
    if key.limits is None:
        return {}
    return {"middleware": [*client.middleware, limiter(key.limits, key.name)]}
