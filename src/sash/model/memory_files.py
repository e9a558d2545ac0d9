"""Files that Claude keeps about a user by Anthropic's memory tool (`memory_20250818`): their paths and their bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sash.errors import InvalidOption
from sash.model.values import named_legibly

ROOT = "/memories"
"""The folder that all paths lie in; it is always there."""
LONGEST_PATH = 256
"""Characters of a path."""
LONGEST_NAME = 255
"""UTF-8 bytes of a name in a path, as common file systems have it: files are exported."""
MOST_CHARACTERS = 100_000
"""Characters of a file: some 25,000 tokens, for what is viewed enters a request."""
MOST_FILES = 1_000
"""Files of one user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFile:
    """One version of a file."""

    path: str
    version: int
    """1 for the first; every change makes the next"""
    text: str | None
    """None: with this version the file was deleted, or moved away"""
    at: float
    """when it was written, in unix seconds"""


class Folder(Protocol):
    """The files of one user, within one transaction."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Path -> UTF-8 bytes of every file that is there."""
        ...

    def read(self, path: str) -> str:
        """The text of a file that is there."""
        ...

    def write(self, path: str, text: str | None) -> None:
        """Give a file a new version; None: it is gone."""
        ...


def memory_path(path: Any) -> str:
    """A path as it is kept: in `/memories`, without a slash at its end. Raises InvalidOption for one that leads out."""
    if not isinstance(path, str) or not path:
        raise _bad(path, "give a path below /memories")
    bare = path.rstrip("/")
    if bare != ROOT and not bare.startswith(f"{ROOT}/"):
        raise _bad(path, "paths begin with /memories/")
    if len(bare) > LONGEST_PATH:
        raise _bad(path[:40] + "...", f"a path has {LONGEST_PATH} characters at most")
    if max(len(name.encode("utf-8", "surrogatepass")) for name in bare.split("/")) > LONGEST_NAME:
        raise _bad(path[:40] + "...", f"a name in a path has {LONGEST_NAME} bytes in UTF-8 at most")
    if not named_legibly(bare) or "\\" in bare:
        raise _bad(path, "control characters and backslashes have no place in a path")
    if any(name in {"", ".", ".."} for name in bare.split("/")[1:]):
        raise _bad(path, "write the path without //, . and ..")
    return bare


def below(path: str, folder: str) -> bool:
    """Whether a path lies in a folder, at any depth."""
    return path.startswith(f"{folder}/")


def _bad(path: Any, remedy: str) -> InvalidOption:
    return InvalidOption(f"path {path!r} is no memory file's: {remedy}", option="path", value=path)
