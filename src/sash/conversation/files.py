"""Files named in a message, read: paths become blocks, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sash.errors import InvalidContent
from sash.model.files import MOST, File, file_block


def with_files(content: Any) -> Any:
    """Message content with each `Path` and `File` in it made into its block; anything else as it is.

    A string is text, never a path. Raises InvalidContent, which names the path, for what is not there, cannot be read
    or cannot be sent.
    """
    if isinstance(content, Path | File):
        return [_block(content)]
    if isinstance(content, Iterable) and not isinstance(content, str | bytes | Mapping):
        return [_block(part) if isinstance(part, Path | File) else part for part in content]
    return content


def read_file(path: Path) -> File:
    """The file at a path, by its name. Raises InvalidContent."""
    try:
        if path.is_dir():
            raise InvalidContent(f"{path} is a directory: name the files in it", problem="file", path=str(path))
        if path.exists() and not path.is_file():
            raise InvalidContent(f"{path} is no regular file", problem="file", path=str(path))
        size = path.stat().st_size
        if size > MOST:
            raise InvalidContent(
                f"{path} has {size:,} bytes; a request takes {MOST:,}: send a part of it",
                problem="file",
                path=str(path),
            )
        return File(path.read_bytes(), name=path.name)
    except FileNotFoundError as error:
        raise InvalidContent(
            f"{path} does not exist (looked for in {Path.cwd()}); a text is passed as a string, a file as a Path",
            problem="file",
            path=str(path),
        ) from error
    except OSError as error:
        raise InvalidContent(f"{path} cannot be read: {error.strerror}", problem="file", path=str(path)) from error


def _block(part: Path | File) -> Mapping[str, Any]:
    return file_block(part) if isinstance(part, File) else file_block(read_file(part), str(part))
