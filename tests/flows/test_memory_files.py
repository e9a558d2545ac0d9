"""Commands of the memory tool: what they change is what the SDK's own tool over a folder of files changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from anthropic.lib.tools import ToolError
from anthropic.lib.tools._beta_builtin_memory_tool import BetaLocalFilesystemMemoryTool
from hypothesis import given
from hypothesis import strategies as st

from sash.flows.tools.memory_files import changes, run_command
from sash.model.functions import ToolFailed
from sash.model.memory_files import MOST_CHARACTERS, MOST_FILES, ROOT


class Held:
    """A folder that is a mapping."""

    def __init__(self, texts: Mapping[str, str] = {}) -> None:
        self.texts = dict(texts)

    @property
    def sizes(self) -> Mapping[str, int]:
        return {path: len(text.encode()) for path, text in self.texts.items()}

    def read(self, path: str) -> str:
        return self.texts[path]

    def write(self, path: str, text: str | None) -> None:
        self.texts.pop(path, None)
        if text is not None:
            self.texts[path] = text


def run(folder: Held, command: str, **given: Any) -> str:
    """Carry out one command."""
    return run_command(folder, {"command": command, **given})


def refusal(folder: Held, command: str, **given: Any) -> str:
    """What Claude is told by a command that is refused."""
    with pytest.raises(ToolFailed) as caught:
        run(folder, command, **given)
    return str(caught.value.content)


PATHS = st.sampled_from([f"{ROOT}/{name}" for name in ("a", "b", "a/b", "b/c", "b/c/d", "b/c.txt", "a/")] + [ROOT])
TEXTS = st.text(alphabet="ab\n", max_size=6)
COMMANDS = st.one_of(
    st.fixed_dictionaries({"command": st.just("create"), "path": PATHS, "file_text": TEXTS}),
    st.fixed_dictionaries({"command": st.just("delete"), "path": PATHS}),
    st.fixed_dictionaries({"command": st.just("rename"), "old_path": PATHS, "new_path": PATHS}),
    st.fixed_dictionaries(
        {"command": st.just("str_replace"), "path": PATHS, "old_str": st.sampled_from(["a", "ab", "b\n"])}
        | {"new_str": TEXTS}
    ),
    st.fixed_dictionaries(
        {"command": st.just("insert"), "path": PATHS, "insert_line": st.integers(-1, 4)}
        | {"insert_text": st.sampled_from(["x", "x\n", "x\ny"])}
    ),
)


def on_disk(root: Path) -> dict[str, str]:
    """The files of the SDK's folder, empty folders taken away: rows know none."""
    for folder in sorted(root.rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return {f"{ROOT}/{path.relative_to(root)}": path.read_text() for path in root.rglob("*") if path.is_file()}


@given(st.lists(COMMANDS, max_size=12))
def test_files_become_what_they_become_under_the_sdks_own_tool(commands: list[dict[str, Any]]) -> None:
    """After each command of any sequence, paths and texts are those of the SDK's tool, and both refuse the same."""
    with TemporaryDirectory() as place:
        theirs, ours = BetaLocalFilesystemMemoryTool(place), Held()
        for command in commands:
            before = dict(ours.texts)
            try:
                run_command(ours, command)
                refused = False
            except ToolFailed:
                refused = True
                assert ours.texts == before
            try:
                theirs.call(command)
                theirs_refused = False
            except (ToolError, OSError):
                theirs_refused = True
            assert (refused, ours.texts) == (theirs_refused, on_disk(theirs.memory_root)), command


OUTSIDE = (
    *("/memories/../etc/passwd", "/memories/a/../../b", "/etc/passwd", "/memoriesX/a", "memories/a", "/memories//a"),
    *("/memories/a\\..\\b", "/memories/a\0b", "/memories/a\nb", "/memories/./a", "/memories/" + "a" * 300, "", 7, None),
)


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("command", ["view", "create", "delete", "str_replace", "insert", "rename"])
def test_no_path_leads_out(command: str, path: Any) -> None:
    """A path outside the root, or one that could be read as such, is refused by every command; nothing changes."""
    folder = Held({f"{ROOT}/a": "x"})
    given = {"path": path, "old_path": f"{ROOT}/a", "new_path": path, "file_text": "", "insert_text": ""}
    assert "path" in refusal(folder, command, **given, old_str="x", new_str="y", insert_line=0)
    assert folder.texts == {f"{ROOT}/a": "x"}


def test_a_listing_shows_two_levels_with_sizes() -> None:
    """Folders sum what lies in them, however deep; hidden names stay hidden."""
    folder = Held({f"{ROOT}/{name}": "x" * 1536 for name in ("a.md", "b/c/d/e.md", ".hidden")})
    assert run(folder, "view", path=ROOT) == (
        "Here're the files and directories up to 2 levels deep in /memories, excluding hidden items:\n"
        "3K\t/memories\n1.5K\t/memories/a.md\n1.5K\t/memories/b/\n1.5K\t/memories/b/c/"
    )
    assert run(folder, "view", path=f"{ROOT}/b/").endswith("/memories/b/c/\n1.5K\t/memories/b/c/d/")


def test_a_file_is_shown_with_numbers() -> None:
    """Line numbers are right-aligned; a range shows those lines with their own numbers."""
    folder = Held({f"{ROOT}/a": "one\ntwo\nthree"})
    head = "Here's the content of /memories/a with line numbers:\n"
    assert run(folder, "view", path=f"{ROOT}/a") == f"{head}     1\tone\n     2\ttwo\n     3\tthree"
    assert run(folder, "view", path=f"{ROOT}/a", view_range=[2, -1]) == f"{head}     2\ttwo\n     3\tthree"
    assert run(folder, "view", path=f"{ROOT}/a", view_range=[1, 1]) == f"{head}     1\tone"
    assert run(folder, "view", path=f"{ROOT}/a", view_range=[5, 1]) == head, "as the SDK's own tool answers"


def test_an_edit_shows_where_it_was_made() -> None:
    """The lines around the change come back, with their numbers."""
    folder = Held({f"{ROOT}/a": "\n".join("abcdefg")})
    said = run(folder, "str_replace", path=f"{ROOT}/a", old_str="d", new_str="D")
    assert said == "The memory file has been edited.\n" + "\n".join(
        f"     {number}\t{line}" for number, line in enumerate("bcDef", 2)
    )


def test_an_ambiguous_edit_names_its_lines() -> None:
    """What stands there twice is not replaced, and Claude is told where."""
    folder = Held({f"{ROOT}/a": "x\ny\nx"})
    assert "in lines: 1, 3" in refusal(folder, "str_replace", path=f"{ROOT}/a", old_str="x", new_str="z")


@pytest.mark.parametrize(
    "given",
    [None, "view", {}, {"command": "format"}, {"command": ["view"]}, {"command": "view"}]
    + [{"command": "create", "path": f"{ROOT}/new"}, {"command": "create", "path": f"{ROOT}/n", "file_text": 3}]
    + [{"command": "view", "path": f"{ROOT}/a", "view_range": r} for r in ("1", [1], [1, None], [True, 2])]
    + [{"command": "insert", "path": f"{ROOT}/a", "insert_text": "x", "insert_line": at} for at in (True, "1", None)],
)
def test_a_malformed_call_is_told_what_is_wrong(given: Any) -> None:
    """Whatever Claude sends, it gets words that name what is missing, and nothing changes."""
    folder = Held({f"{ROOT}/a": "x"})
    with pytest.raises(ToolFailed):
        run_command(folder, given)
    assert folder.texts == {f"{ROOT}/a": "x"}


def test_sizes_are_bounded() -> None:
    """A file that would grow too large, and one file too many, are refused with what the bound is."""
    full = Held({f"{ROOT}/{n}": "" for n in range(MOST_FILES)})
    assert "1,000 files" in refusal(full, "create", path=f"{ROOT}/more", file_text="")
    assert "100,000" in refusal(Held(), "create", path=f"{ROOT}/a", file_text="x" * (MOST_CHARACTERS + 1))


def test_text_that_utf8_cannot_carry_is_made_whole() -> None:
    """Half a surrogate pair and a NUL, which JSON can hold and no database column, leave a file that can be kept."""
    folder = Held()
    run(folder, "create", path=f"{ROOT}/a", file_text="a\ud800\0b")
    folder.texts[f"{ROOT}/a"].encode()
    assert "\0" not in folder.texts[f"{ROOT}/a"]


def test_only_views_leave_the_store_alone() -> None:
    """What may change something is told from what cannot, malformed calls included."""
    assert not changes({"command": "view"}) and changes({"command": "create"}) and changes(None)
