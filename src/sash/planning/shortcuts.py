"""What was worked out for one request of a conversation and holds for the next: it changes nothing but the time."""

from __future__ import annotations

from sash.planning.judge import Judge
from sash.planning.view import RenderedMessages


class Shortcuts:
    """Kept beside a conversation, for one flow at a time; thrown away where turns are sent otherwise from then on."""

    def __init__(self) -> None:
        self.forms = RenderedMessages()
        self.judge = Judge()
