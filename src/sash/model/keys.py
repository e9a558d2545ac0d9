"""Keys of the API by name, and what each leads to: never the key itself.

The prompt cache lives in a workspace, thinking belongs to an account ("Prompt caching", "Preserved thinking"): so
moving from one key to another may cost what was cached, and the thinking of the view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from zlib import crc32


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyScope:
    """Where a key leads. Two keys share a cache only where both name the same workspace."""

    name: str
    workspace: str = ""
    """ "": unknown, taken for one of its own"""
    organization: str = ""
    """keys that name none belong to one account"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPoolView:
    """The keys of a pool, without their secrets, and when to move."""

    scopes: tuple[KeyScope, ...]
    most: float | None = None
    """dollars that a move away from a limited key may cost beyond staying; None: whatever it costs"""
    rest: float = 60.0
    """seconds for which a key that was limited is left alone; one that was refused rests ten times as long"""

    def same_cache(self, name: str) -> frozenset[str]:
        """The keys that read the cache which this one writes."""
        here = self._named(name)
        return frozenset(p.name for p in self.scopes if p is here or (p.workspace and p.workspace == here.workspace))

    def same_account(self, name: str) -> frozenset[str]:
        """The keys of the same account."""
        here = self._named(name)
        return frozenset(p.name for p in self.scopes if p.organization == here.organization)

    def order(self, present: str, conversation: str, out: Sequence[str]) -> tuple[str, ...]:
        """The keys to try: the one that the conversation sticks to, then those with its cache, then the others.

        A new conversation gets one by its id, so that many spread evenly. Those that are out come last.
        """
        names = [place.name for place in self.scopes]
        first = names.index(present) if present in names else crc32(conversation.encode()) % len(names)
        turned = [*names[first:], *names[:first]]
        near = self.same_cache(turned[0])
        return tuple(sorted(turned, key=lambda name: (name in out, name not in near)))

    def _named(self, name: str) -> KeyScope:
        """The place of a key; one that left the pool leads to nobody else's."""
        return next((place for place in self.scopes if place.name == name), KeyScope(name=name))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyName:
    """The key a request goes with, as far as a plan is concerned."""

    name: str = ""
    same_cache: frozenset[str] | None = field(default=None)
    """the keys that share its cache; None: one cache for all"""
    same_account: frozenset[str] | None = field(default=None)
    """the keys of its account; None: one account for all"""

    def reads(self, other: str) -> bool:
        """Whether what a request with the key `other` cached can be read with this one."""
        return self.same_cache is None or other in self.same_cache

    def owns(self, other: str) -> bool:
        """Whether thinking that came with the key `other` is valid with this one."""
        return self.same_account is None or other in self.same_account
