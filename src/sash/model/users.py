"""Whose a conversation, a file or a profile is: a user's id, as the application names its users."""

from __future__ import annotations

from typing import Any

from sash.errors import InvalidOption
from sash.model.values import named_legibly


def check_user(user: Any) -> None:
    """Raises InvalidOption for what names no user."""
    if not isinstance(user, str) or not named_legibly(user):
        raise InvalidOption(
            f"user={user!r}: give the user's id, a text of printable characters, one or more", option="user", value=user
        )
