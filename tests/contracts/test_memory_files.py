"""Memory files in every store: versions, walls between users and tenants, all or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from sash.errors import InvalidOption
from sash.model.memory_files import ROOT, Folder

NOTE = f"{ROOT}/note.md"


def write(store: Any, text: str | None, *, user: str = "ann", namespace: str = "", at: float = 1.0) -> None:
    """Give the note a new version."""
    store.memory_files.change(lambda folder: folder.write(NOTE, text), user=user, namespace=namespace, at=at)


def test_every_version_stays_and_the_newest_counts(store: Any) -> None:
    """A changed, deleted and written again file has all its versions; listed is what is there now."""
    for at, text in enumerate(("one", "two", None, "three"), 1):
        write(store, text, at=float(at))
    versions = store.memory_files.versions(NOTE, user="ann")
    assert [(v.version, v.text, v.at) for v in versions] == [
        *((1, "one", 1.0), (2, "two", 2.0), (3, None, 3.0), (4, "three", 4.0))
    ]
    assert [(file.path, file.text) for file in store.memory_files.files(user="ann")] == [(NOTE, "three")]
    assert list(store.memory_files.versions(NOTE, user="ann", limit=2)) == list(versions[2:])
    assert list(store.memory_files.versions(NOTE, user="ann", before=3, limit=1)) == list(versions[1:2])


@pytest.mark.namespaces
def test_users_and_tenants_do_not_see_each_other(store: Any) -> None:
    """The same path of another user, or of a user of the same name elsewhere, is another file."""
    write(store, "ann's")
    write(store, "bob's", user="bob")
    write(store, "the other ann's", namespace="elsewhere")
    assert store.memory_files.look(lambda folder: folder.read(NOTE), user="ann") == "ann's"
    assert store.memory_files.look(lambda folder: folder.read(NOTE), user="ann", namespace="elsewhere")[:3] == "the"
    assert store.memory_files.look(lambda folder: dict(folder.sizes), user="carol") == {}
    assert store.memory_files.users() == {"ann": 1, "bob": 1}
    write(store, None, user="bob")
    assert store.memory_files.users() == {"ann": 1}


def test_a_change_that_raises_leaves_nothing(store: Any) -> None:
    """Half of a change is never kept, and what it wrote is not seen afterwards."""

    def half(folder: Folder) -> None:
        folder.write(NOTE, "half")
        raise KeyError

    with pytest.raises(KeyError):
        store.memory_files.change(half, user="ann", at=1.0)
    assert list(store.memory_files.versions(NOTE, user="ann")) == []


def test_within_a_change_what_was_written_is_read(store: Any) -> None:
    """A command of several steps sees its own."""

    def twice(folder: Folder) -> tuple[str, dict[str, int]]:
        folder.write(NOTE, "é")
        return folder.read(NOTE), dict(folder.sizes)

    assert store.memory_files.change(twice, user="ann", at=1.0) == ("é", {NOTE: 2})


def test_versions_of_a_path_outside_are_an_error(store: Any) -> None:
    """A path that could be no file's is named."""
    with pytest.raises(InvalidOption, match="/memories"):
        store.memory_files.versions("/etc/passwd", user="ann")
