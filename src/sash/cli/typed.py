"""What is typed at `sash chat`: messages of one line or several, edited and called back with the arrow keys.

The standard library's readline does that: nothing to install, and it takes a pasted text whole. Where it is missing
(Windows), lines are read as the system gives them. The history is the conversation's own record, so that no second
copy of what was said lies on the disk, which nobody would forget there.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType

PROMPT, GO_ON = "you> ", "...> "
FENCE = '"""'
"""What a message of several lines may stand between."""


def _load_readline() -> ModuleType | None:
    try:
        import readline  # noqa: PLC0415 - it takes the terminal over, which only a chat wants
    except ImportError:
        return None
    return readline


class TypedMessages:
    """Messages from the terminal, or one for each line of a file."""

    def __init__(self, said: Iterable[str] = ()) -> None:
        self.asks = sys.stdin.isatty()
        """whether somebody types"""
        self._readline = _load_readline() if self.asks else None
        if self._readline is not None:
            self._readline.set_auto_history(False)
            self._readline.clear_history()
            for text in said:
                self._readline.add_history(text)

    def read(self, begun: str = "") -> str:
        """The next message, stripped; `begun` stands there already, to be changed. Raises EOFError, KeyboardInterrupt.

        A line that ends with a backslash goes on in the next one; a message that begins with three quotation marks goes
        on until a line ends with three.
        """
        with self._begun(begun):
            text = self._line(PROMPT)
        if text.startswith(FENCE):
            text = self._until_fence(text.removeprefix(FENCE))
        while text.endswith("\\"):
            text = f"{text[:-1]}\n{self._line(GO_ON)}"
        if self._readline is not None and text:
            self._readline.add_history(text)
        return text

    def _until_fence(self, first: str) -> str:
        lines = [first]
        while not lines[-1].endswith(FENCE):
            lines.append(self._line(GO_ON))
        return "\n".join(lines).removesuffix(FENCE).strip()

    def _line(self, prompt: str) -> str:
        return input(prompt if self.asks else "").strip()

    @contextlib.contextmanager
    def _begun(self, text: str) -> Iterator[None]:
        """Have a text stand on the line already."""
        if self._readline is None or not text:
            yield
            return
        insert = self._readline.insert_text
        self._readline.set_startup_hook(lambda: insert(text))
        try:
            yield
        finally:
            self._readline.set_startup_hook(None)
