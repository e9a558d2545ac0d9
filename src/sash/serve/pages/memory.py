"""What is remembered of users: their profiles and their memory files, to read, correct and forget."""

from __future__ import annotations

import time
from typing import Any

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sash.flows.tools.memory_files import run_command
from sash.model.functions import ToolFailed
from sash.model.memory_files import Folder, memory_path
from sash.profile.entries import KINDS
from sash.serve.addresses import segment
from sash.serve.asking import Parameters, address, form_of, number_in, query_of
from sash.serve.serving import namespace_of, serving_of

PAGE = 50
VERSIONS = 10
"""Of a file on a page: each has up to 100,000 characters."""


class UsersQuery(Parameters):
    """Where the list of users goes on."""

    after: str = ""


class UserQuery(Parameters):
    """What of a user is shown: with what no longer holds, and after how many entries and files."""

    history: int = 0
    entries: int = Field(default=0, ge=0)
    files: int = Field(default=0, ge=0)


class VersionsQuery(Parameters):
    """Which file, and where the list of its versions goes on."""

    path: str = ""
    before: int | None = Field(default=None, ge=1)


def users(request: Request) -> Response:
    """The list."""
    serving, asked = serving_of(request), query_of(request, UsersQuery)
    found = serving.store.users(namespace=namespace_of(request), after=asked.after, limit=PAGE + 1)
    goes_on = address("/memory", after=found[PAGE - 1]) if len(found) > PAGE else ""
    return serving.page(request, "users.html", users=found[:PAGE], next=goes_on, after=asked.after)


def user(request: Request) -> Response:
    """One user."""
    serving, asked, name = serving_of(request), query_of(request, UserQuery), request.path_params["user"]
    namespace = namespace_of(request)
    known = serving.store.profile(name, namespace=namespace)
    entries = known.history() if asked.history else known.entries()
    files = serving.store.memory_files.files(user=name, namespace=namespace)
    return serving.page(
        request,
        "user.html",
        user=name,
        entries=entries[asked.entries :][:PAGE],
        more_entries=_further(name, asked, "entries", len(entries)),
        history=bool(asked.history),
        files=files[asked.files :][:PAGE],
        more_files=_further(name, asked, "files", len(files)),
        kinds=KINDS,
    )


def _further(user: str, asked: UserQuery, what: str, there_are: int) -> str:
    """Where the rest of the entries or files is shown; "" where that was all."""
    shown = getattr(asked, what) + PAGE
    place = {**asked.model_dump(exclude_defaults=True), what: shown}
    return address(f"/memory/{segment(user)}", **place) if shown < there_are else ""


async def keep(request: Request) -> Response:
    """One more entry of a profile."""
    form = await form_of(request)
    return await _changed(request, lambda profile: profile.set(form.get("text", ""), kind=form.get("kind", "fact")))


async def remove(request: Request) -> Response:
    """End an entry of a profile."""
    form = await form_of(request)
    entry = number_in(form, "entry")
    return await _changed(request, lambda profile: profile.remove(entry))


async def _changed(request: Request, change: Any) -> Response:
    serving, name = serving_of(request), request.path_params["user"]
    known = serving.store.profile(name, namespace=namespace_of(request))
    await run_in_threadpool(change, known)
    return _back(name)


async def write(request: Request) -> Response:
    """Write a memory file, or (without a text) delete it, by the rules that Claude's tool keeps."""
    form, name = await form_of(request), request.path_params["user"]
    path, text = memory_path(form.get("path", "")), form.get("text", "").replace("\r\n", "\n")

    def edit(folder: Folder) -> None:
        if path in folder.sizes:
            run_command(folder, {"command": "delete", "path": path})
        if "delete" not in form:
            run_command(folder, {"command": "create", "path": path, "file_text": text})

    def change() -> None:
        files = serving_of(request).store.memory_files
        files.change(edit, user=name, namespace=namespace_of(request), at=time.time())

    try:
        await run_in_threadpool(change)
    except ToolFailed as error:
        raise HTTPException(400, str(error)) from error
    return _back(name)


def versions(request: Request) -> Response:
    """The versions of a memory file, the newest first."""
    serving, asked, name = serving_of(request), query_of(request, VersionsQuery), request.path_params["user"]
    found = serving.store.memory_files.versions(
        asked.path, user=name, namespace=namespace_of(request), before=asked.before, limit=VERSIONS + 1
    )[::-1]
    if not found:
        raise HTTPException(404, "no such file")
    shown, place = found[:VERSIONS], f"/memory/{segment(name)}/versions"
    older = address(place, path=asked.path, before=shown[-1].version) if len(found) > VERSIONS else ""
    newest = address(place, path=asked.path) if asked.before else ""
    return serving.page(
        request, "versions.html", user=name, path=asked.path, versions=shown, older=older, newest=newest
    )


async def forget(request: Request) -> Response:
    """Remove a user for good, once the name was typed."""
    form, serving, name = await form_of(request), serving_of(request), request.path_params["user"]
    if form.get("confirmed") != name:
        raise HTTPException(400, "to forget the user, type the name as it stands there")
    namespace = namespace_of(request)
    await run_in_threadpool(lambda: serving.store.forget_user(name, namespace=namespace, reason="forgotten on a page"))
    serving.talks.forget(namespace)
    return RedirectResponse("/memory", 303)


def _back(user: str) -> Response:
    return RedirectResponse(f"/memory/{segment(user)}", 303)
