"""`sash memory`: what Claude wrote down about users by its memory tool: listed, shown, exported."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click
from rich.table import Table

from sash.cli.common import (
    console,
    json_option,
    moment,
    namespace,
    one_line,
    print_json,
    printable,
    user_of,
)
from sash.cli.database import DATABASE, open_database
from sash.cli.tables import print_table
from sash.errors import InvalidOption, NotFound
from sash.model.memory_files import ROOT, MemoryFile
from sash.stores import Store


@click.command(short_help="Files that Claude keeps about users (memory tool)")
@click.argument("database", type=DATABASE)
@click.argument("path", required=False)
@click.option("--user", callback=user_of, help="Whose files; without it, all users are listed.")
@click.option("--versions", is_flag=True, help="All versions of the file PATH, deleted ones included.")
@click.option(
    "--export", type=click.Path(file_okay=False, path_type=Path), help="Write the user's files into this new folder."
)
@json_option
def memory(
    database: str, path: str | None, user: str | None, versions: bool, export: Path | None, as_json: bool
) -> None:
    """Who has memory files in DATABASE; a user's files; or the file PATH of a user."""
    with closing(open_database(database)) as store:
        if user is None:
            _reject_without_user(path, versions, export)
            _list_users(store, as_json)
            return
        if export is not None:
            _export(store.memory_files.files(user=user, namespace=namespace()), export)
        elif path is None:
            _list_files(store.memory_files.files(user=user, namespace=namespace()), as_json)
        else:
            _show(_of(store, path, user), versions, as_json)


def _reject_without_user(path: str | None, versions: bool, export: Path | None) -> None:
    if path or versions or export:
        raise InvalidOption("say whose files are meant: --user NAME", option="user", value=None)


def _list_users(store: Store, as_json: bool) -> None:
    found = store.memory_files.users(namespace=namespace())
    if as_json:
        print_json([{"user": user, "files": files} for user, files in found.items()])
    elif not found:
        console().print("no memory files yet")
    else:
        table = Table("user", "files")
        for user, files in found.items():
            table.add_row(one_line(user, 60), f"{files:,}")
        print_table(console(), table)


def _list_files(files: Sequence[MemoryFile], as_json: bool) -> None:
    if as_json:
        print_json([_plain(file) for file in files])
    elif not files:
        console().print("no memory files yet")
    else:
        table = Table("path", "version", "characters", "written (UTC)", "begins")
        for file in files:
            text = file.text or ""
            table.add_row(
                printable(file.path), str(file.version), f"{len(text):,}", moment(file.at), one_line(text, 50)
            )
        print_table(console(), table)


def _of(store: Store, path: str, user: str) -> Sequence[MemoryFile]:
    found = store.memory_files.versions(path, user=user, namespace=namespace())
    if not found:
        raise NotFound(f"{user!r} has no memory file {path!r}; sash memory DB --user {user} lists them")
    return found


def _show(versions: Sequence[MemoryFile], every: bool, as_json: bool) -> None:
    shown = versions if every else versions[-1:]
    if as_json:
        print_json([_plain(file) for file in shown])
        return
    for file in shown:
        if every:
            click.echo(f"--- version {file.version}, {moment(file.at)} UTC")
        click.echo(printable(file.text if file.text is not None else "(deleted)"))


def _plain(file: MemoryFile) -> dict[str, object]:
    return {"path": file.path, "version": file.version, "at": file.at, "text": file.text}


def _export(files: Sequence[MemoryFile], folder: Path) -> None:
    """Write files below a folder that has nothing in it yet: what is there is never overwritten."""
    if folder.exists() and any(folder.iterdir()):
        raise InvalidOption(f"{str(folder)!r} is not empty; name a new folder", option="export", value=str(folder))
    for file in files:
        target = folder / file.path.removeprefix(f"{ROOT}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.text or "", encoding="utf-8", newline="")
    console().print(f"{len(files):,} {'file' if len(files) == 1 else 'files'} written to {printable(str(folder))}")
