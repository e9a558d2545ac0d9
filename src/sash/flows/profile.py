"""A user's profile: read by the rules as far as the record goes, told, and changed by hand.

The rules read what the user said since they last did, over all conversations, whenever a profile is asked for: no send
waits for that, and what was imported, or said before somebody was named as its user, is found as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sash.errors import InvalidOption
from sash.flows.record import Record
from sash.profile import Entry, Kind, Learned, learned
from sash.profile.entries import KINDS, LONGEST
from sash.profile.holding import Holding
from sash.profile.topics import topic_of

AT_ONCE = 500
"""Turns read in one transaction."""
LOOKED_AT = 5_000
"""Unread turns that a plan looks at."""


@dataclass(frozen=True, repr=False)
class Profile:
    """What a user said of themselves that holds: facts, preferences, instructions, each with its sources.

    The newest statement about a thing holds; what it ended stays readable in `history`, until the user is forgotten.
    """

    store: Record
    user: str
    namespace: str = field(default="", kw_only=True)

    def __repr__(self) -> str:
        return f"Profile(user={self.user!r})"

    def entries(self) -> Sequence[Entry]:
        """What holds, the newest first."""
        self.catch_up()
        return self.store.profiles.entries(user=self.user, namespace=self.namespace)

    def as_read(self) -> Sequence[Entry]:
        """The same, with what the rules have not read yet but for ids; nothing is written, so a plan may ask."""
        held = Holding(self.store.profiles.entries(user=self.user, namespace=self.namespace))
        unread = self.store.profiles.unread(user=self.user, namespace=self.namespace, most=LOOKED_AT)
        for said, turn in learned(unread):
            held.take(held.change(said, by="rules", at=turn.at, turn=turn.id))
        return held.entries

    def history(self) -> Sequence[Entry]:
        """All entries, those that ended included, the newest first."""
        self.catch_up()
        return self.store.profiles.entries(user=self.user, namespace=self.namespace, ended=True)

    def set(self, text: str, *, kind: Kind = "fact", topic: str | None = None) -> Entry:
        """Keep a statement; what held of the same topic ends.

        `topic`: what it is about, in a word or two ("home"); None: found by rules, where they know it. Raises
        InvalidOption for a text that is empty or longer than 400 characters, and for an unknown kind.
        """
        if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
            raise InvalidOption(f"text={text!r:.60}: give 1 to {LONGEST} characters", option="text", value=text)
        if kind not in KINDS:
            raise InvalidOption(f"kind={kind!r}: give one of {', '.join(KINDS)}", option="kind", value=kind)
        if topic is not None and (not isinstance(topic, str) or len(topic) > LONGEST):
            raise InvalidOption(
                f"topic={topic!r:.60}: give a word or two ({LONGEST} characters at most), or None",
                option="topic",
                value=topic,
            )
        self.catch_up()
        about = topic_of(text, kind) if topic is None else topic
        given = Learned(kind=kind, text=" ".join(text.split()), topic=about)
        return self.store.profiles.set(given, user=self.user, namespace=self.namespace)

    def remove(self, entry: Entry | int) -> Entry:
        """End an entry: it no longer holds, and stays in `history`. Raises NotFound for one that does not hold."""
        key = entry.id if isinstance(entry, Entry) else entry
        if isinstance(key, bool) or not isinstance(key, int):
            raise InvalidOption(f"entry={entry!r:.60}: give an entry, or the id of one", option="entry", value=entry)
        return self.store.profiles.remove(key, user=self.user, namespace=self.namespace)

    def by_hand(self, action: str, text: str, entry: int) -> str:
        """What the tool answers that Claude uses: "list", "remember" a text, "forget" an entry by its number."""
        if action == "remember":
            return f"Remembered as entry {self.set(text).id}."
        if action == "forget":
            return f"Forgotten: {self.remove(entry).text}"
        if action != "list":
            raise InvalidOption(f"action={action!r}: give list, remember or forget", option="action", value=action)
        told = [f"{one.id}. ({one.kind}) {one.text}" for one in self.entries()]
        return "\n".join(told) or "Nothing is remembered about the user."

    def catch_up(self) -> None:
        """Have the rules read what they have not."""
        profiles = self.store.profiles
        while turns := profiles.unread(user=self.user, namespace=self.namespace, most=AT_ONCE):
            profiles.learn(learned(turns), user=self.user, namespace=self.namespace, read=turns)
            if len(turns) < AT_ONCE:
                break
