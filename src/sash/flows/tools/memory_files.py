"""Commands of Anthropic's memory tool (`memory_20250818`), carried out on a folder: view, create, str_replace, insert,
delete, rename.

What they answer, and what they refuse, is worded as the "Memory tool" documentation words it, for Claude knows these
sentences. A refusal is a `ToolFailed`: Claude reads it and tries something else; nothing was changed then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sash.errors import InvalidOption
from sash.model.functions import ToolFailed
from sash.model.memory_files import MOST_CHARACTERS, MOST_FILES, ROOT, Folder, below, memory_path
from sash.model.values import whole

LEVELS = 2
"""How deep a listing goes."""
AROUND = 2
"""Lines shown before and after an edit."""
WIDTH = 6
"""Columns of a line number."""

Command = Callable[[Folder, Mapping[str, Any]], str]


def run_command(folder: Folder, given: Any) -> str:
    """Carry out one call of the tool; what Claude is told. Raises ToolFailed, with nothing changed."""
    name = given.get("command") if isinstance(given, Mapping) else None
    command = _COMMANDS.get(name) if isinstance(name, str) else None
    if command is None:
        raise ToolFailed(f"Unknown command {name!r}: give one of {', '.join(_COMMANDS)}")
    return command(folder, given)


def changes(given: Any) -> bool:
    """Whether a call may change something."""
    return not (isinstance(given, Mapping) and given.get("command") == "view")


def _view(folder: Folder, given: Mapping[str, Any]) -> str:
    path = _path(given, "path")
    if path in folder.sizes:
        return _numbered_file(folder, path, _range(given))
    if path != ROOT and not _inside(folder, path):
        raise _missing(path)
    return _listing(folder, path)


def _create(folder: Folder, given: Mapping[str, Any]) -> str:
    path, text = _path(given, "path"), _text(given, "file_text")
    if path in folder.sizes:
        raise ToolFailed(f"Error: File {path} already exists")
    _check_free(folder, path)
    if len(folder.sizes) >= MOST_FILES:
        raise ToolFailed(f"Error: there are {MOST_FILES:,} files already; delete some first")
    _write(folder, path, text)
    return f"File created successfully at: {path}"


def _str_replace(folder: Folder, given: Mapping[str, Any]) -> str:
    path, old, new = _path(given, "path"), _text(given, "old_str"), _text(given, "new_str", default="")
    text = _read(folder, path)
    places = _places(text, old) if old else []
    if not places:
        raise ToolFailed(f"No replacement was performed, old_str `{old}` did not appear verbatim in {path}.")
    if len(places) > 1:
        lines = ", ".join(str(text.count("\n", 0, place) + 1) for place in places)
        raise ToolFailed(
            f"No replacement was performed. Multiple occurrences of old_str `{old}` in lines: {lines}. "
            "Please ensure it is unique"
        )
    _write(folder, path, text.replace(old, new, 1))
    return "The memory file has been edited.\n" + _snippet(folder.read(path), text.count("\n", 0, places[0]), new)


def _insert(folder: Folder, given: Mapping[str, Any]) -> str:
    path, added, at = _path(given, "path"), _text(given, "insert_text"), given.get("insert_line")
    lines = _read(folder, path).split("\n")
    if lines[-1] == "":
        lines.pop()
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at <= len(lines):
        raise ToolFailed(
            f"Error: Invalid `insert_line` parameter: {at}. "
            f"It should be within the range of lines of the file: [0, {len(lines)}]"
        )
    lines.insert(at, added.removesuffix("\n"))
    _write(folder, path, "\n".join(lines) + "\n")
    return f"The file {path} has been edited."


def _delete(folder: Folder, given: Mapping[str, Any]) -> str:
    path = _path(given, "path")
    if path == ROOT:
        raise ToolFailed(f"Error: the folder {ROOT} itself cannot be deleted")
    for file in _files(folder, path):
        folder.write(file, None)
    return f"Successfully deleted {path}"


def _rename(folder: Folder, given: Mapping[str, Any]) -> str:
    old, new = _path(given, "old_path"), _path(given, "new_path")
    if ROOT in {old, new}:
        raise ToolFailed(f"Error: the folder {ROOT} itself cannot be renamed, nor replaced")
    files = _files(folder, old)
    if new in folder.sizes or _inside(folder, new):
        raise ToolFailed(f"Error: The destination {new} already exists")
    if below(new, old):
        raise ToolFailed(f"Error: {old} cannot be moved into itself")
    moved = {file: _checked(new + file[len(old) :]) for file in files}
    _check_free(folder, new, without=old)
    for file, target in moved.items():
        text = folder.read(file)
        folder.write(file, None)
        folder.write(target, text)
    return f"Successfully renamed {old} to {new}"


_COMMANDS: Mapping[str, Command] = {
    "view": _view,
    "create": _create,
    "str_replace": _str_replace,
    "insert": _insert,
    "delete": _delete,
    "rename": _rename,
}


def _path(given: Mapping[str, Any], name: str) -> str:
    return _checked(given.get(name))


def _checked(path: Any) -> str:
    try:
        return memory_path(path)
    except InvalidOption as error:
        raise ToolFailed(f"Error: {error}") from error


def _text(given: Mapping[str, Any], name: str, default: str | None = None) -> str:
    text = given.get(name, default)
    if not isinstance(text, str):
        raise ToolFailed(f"Error: `{name}` is missing; give a text")
    return whole(text).replace("\0", "")


def _range(given: Mapping[str, Any]) -> tuple[int, int] | None:
    found = given.get("view_range")
    if found is None:
        return None
    if not isinstance(found, list) or len(found) != 2 or not all(type(one) is int for one in found):
        raise ToolFailed(f"Error: Invalid `view_range`: {found!r}. Give [first line, last line], or -1 as the last")
    return found[0], found[1]


def _inside(folder: Folder, path: str) -> list[str]:
    return [file for file in folder.sizes if below(file, path)]


def _files(folder: Folder, path: str) -> list[str]:
    """The file of this path, or those in the folder of this path."""
    found = [path] if path in folder.sizes else _inside(folder, path)
    if not found:
        raise _missing(path)
    return sorted(found)


def _missing(path: str) -> ToolFailed:
    return ToolFailed(f"The path {path} does not exist. Please provide a valid path.")


def _check_free(folder: Folder, path: str, without: str = "") -> None:
    """A file may not stand where a folder is, nor a folder where a file is."""
    if _inside(folder, path):
        raise ToolFailed(f"Error: {path} is a folder")
    blocked = next((file for file in folder.sizes if below(path, file) and file != without), None)
    if blocked is not None:
        raise ToolFailed(f"Error: {blocked} is a file, so that nothing can lie in it")
    if path == ROOT:
        raise ToolFailed(f"Error: {ROOT} is a folder")


def _read(folder: Folder, path: str) -> str:
    if path in folder.sizes:
        return folder.read(path)
    if path == ROOT or _inside(folder, path):
        raise ToolFailed(f"Error: The path {path} is a folder, not a file.")
    raise _missing(path)


def _write(folder: Folder, path: str, text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise ToolFailed(
            f"Error: {path} would hold {len(text):,} characters, and {MOST_CHARACTERS:,} are the most; "
            "split it into several files"
        )
    folder.write(path, text)


def _places(text: str, old: str) -> list[int]:
    """Where `old` begins, overlapping ones included: an edit that could be meant twice is none."""
    found, at = [], text.find(old)
    while at >= 0:
        found.append(at)
        at = text.find(old, at + 1)
    return found


def _numbered(lines: list[str], first: int) -> str:
    return "\n".join(f"{number:>{WIDTH}}\t{line}" for number, line in enumerate(lines, first))


def _numbered_file(folder: Folder, path: str, wanted: tuple[int, int] | None) -> str:
    lines = folder.read(path).split("\n")
    first, last = wanted or (1, -1)
    first = max(1, first)
    shown = lines[first - 1 : len(lines) if last == -1 else max(0, last)]
    return f"Here's the content of {path} with line numbers:\n{_numbered(shown, first)}"


def _snippet(text: str, changed: int, new: str) -> str:
    lines = text.split("\n")
    first = max(0, changed - AROUND)
    return _numbered(lines[first : changed + new.count("\n") + AROUND + 1], first + 1)


def _listing(folder: Folder, path: str) -> str:
    """Files and folders below, two levels deep, with their sizes; names that begin with a dot are hidden."""
    sizes = {path: 0}
    for file in sorted(_inside(folder, path)):
        names = file[len(path) + 1 :].split("/")
        if any(name.startswith(".") for name in names):
            continue
        folders = [f"{path}/{'/'.join(names[:depth])}/" for depth in range(1, min(LEVELS + 1, len(names)))]
        for shown in [path, *folders, *([file] if len(names) <= LEVELS else [])]:
            sizes[shown] = sizes.get(shown, 0) + folder.sizes[file]
    head = f"Here're the files and directories up to {LEVELS} levels deep in {path}, excluding hidden items:"
    return "\n".join([head, *(f"{_human(size)}\t{shown}" for shown, size in sizes.items())])


def _human(size: float) -> str:
    """Bytes as `du -h` writes them."""
    for unit in "BKM":
        if size < 1024:
            return f"{size:.1f}".removesuffix(".0") + unit
        size /= 1024
    return f"{size:.1f}G"
