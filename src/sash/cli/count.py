"""`sash count`: how many tokens files, message lists, images or a conversation are, with the bound."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from sash.claude.adapter import Claude
from sash.claude.clients import sync_client
from sash.cli.common import console, json_option, namespace, print_json
from sash.cli.database import DATABASE, open_database
from sash.cli.tables import print_table
from sash.conversation import Conversation
from sash.conversation.session import DEFAULT_MODEL
from sash.counting.estimator import Estimator
from sash.errors import InvalidImport, InvalidOption
from sash.flows.steps import CountTokens
from sash.model.blocks import as_blocks, plain, text_block
from sash.model.counts import ZERO, Count
from sash.model.files import TEXT, File, file_block, media_type, other_kind


@click.command(short_help="Count the tokens of files or of a conversation")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False))
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Count as this model does.")
@click.option(
    "--base",
    type=click.Choice(["auto", "ctok", "tiktoken", "features"]),
    default="auto",
    show_default=True,
    help="What tokens are estimated with; auto takes the best at hand.",
)
@click.option("--db", type=DATABASE, help="A database, for --id.")
@click.option("--id", "conversation", help="Count the view of this conversation of --db.")
@click.option("--exact", is_flag=True, help="Ask the count-tokens endpoint too (needs a key, or --simulator).")
@click.option("--simulator", is_flag=True, help="Let the simulator be the endpoint.")
@json_option
def count(
    files: tuple[str, ...],
    model: str,
    base: str,
    db: str | None,
    conversation: str | None,
    exact: bool,
    simulator: bool,
    as_json: bool,
) -> None:
    """Count tokens offline: text files, JSON messages (a list, or {system, tools, messages}), images, PDF."""
    if (db is None) != (conversation is None):
        raise InvalidOption("--db and --id go together", option="--id", value=conversation)
    if not files and db is None:
        raise InvalidOption("nothing to count: name a file, or --db and --id", option="FILES", value=files)
    estimator = Estimator.for_model(model, base=base)
    claude = Claude(sync_client("simulator" if simulator else None)) if exact else None
    rows = []
    for file in files:
        request = read(Path(file))
        rows.append((Path(file).name, estimate(estimator, request), ask(claude, request, model)))
    if db is not None and conversation is not None:
        rows.append((conversation, of_conversation(db, conversation), None))
    show(rows, console(), as_json=as_json, coverage=estimator.coverage)


def read(path: Path) -> dict[str, Any]:
    """What a file holds, as a request without its model. Raises InvalidContent for what is known to be neither
    text nor anything else that Claude reads (a database, an archive), InvalidImport for JSON that is none."""
    data = path.read_bytes()
    kind = media_type(data)
    if kind != TEXT and (kind or other_kind(data)):
        return {"messages": [{"role": "user", "content": [file_block(File(data, name=path.name), str(path))]}]}
    text = data.decode(errors="replace")
    found = _messages(path, text) if path.suffix.lower() == ".json" else None
    return found or {"messages": [{"role": "user", "content": [text_block(text)]}], "text": text}


def _messages(path: Path, text: str) -> dict[str, Any] | None:
    """A message list or request; None for JSON of another kind, which is counted as text."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidImport(f"{path} is no JSON: {error}", path=str(path), line=error.lineno) from error
    request = {"messages": value} if isinstance(value, list) else value
    messages = request.get("messages") if isinstance(request, Mapping) else None
    if not isinstance(messages, list) or not all(isinstance(m, Mapping) and "role" in m for m in messages):
        return None
    return {name: plain(request[name]) for name in ("system", "tools", "tool_choice", "messages") if request.get(name)}


def estimate(estimator: Estimator, request: Mapping[str, Any]) -> Count:
    """Offline: a text by itself, or a whole request with its frames."""
    if "text" in request:
        return estimator.text(request["text"])
    system = request.get("system") or []
    blocks = [text_block(system)] if isinstance(system, str) else system
    before = estimator.preamble(blocks, request.get("tools") or [], request.get("tool_choice"))
    turns = (estimator.message(m["role"], as_blocks(m.get("content") or "")) for m in request["messages"])
    return sum(turns, ZERO) + before


def ask(claude: Claude | None, request: Mapping[str, Any], model: str) -> int | None:
    """The endpoint's answer; for a text, with the frame of one message around it."""
    if claude is None:
        return None
    params = {name: value for name, value in request.items() if name != "text"}
    answer: int = claude.perform(CountTokens(params={"model": model, **params}))
    return answer


def of_conversation(db: str, id: str) -> Count:
    """The view of a recorded conversation as it stands."""
    store = open_database(db)
    try:
        with Conversation(store, id=id, namespace=namespace(), create=False) as chat:
            return chat.count()
    finally:
        store.close()


def show(rows: list[tuple[str, Count, int | None]], out: Console, *, as_json: bool, coverage: float) -> None:
    """A table, or JSON."""
    if as_json:
        keys = ("what", "tokens", "upper", "source", "base", "endpoint")
        values = [(n, c.tokens, c.upper, c.source, c.base, exact) for n, c, exact in rows]
        print_json([dict(zip(keys, row, strict=True)) for row in values])
        return
    table = Table("what", "tokens", f"at most ({coverage:.1%})", "source", "base", "endpoint")
    for name, found, exact in rows:
        endpoint = "" if exact is None else f"{exact:,}"
        table.add_row(name, f"{found.tokens:,}", f"{found.upper:,}", found.source, found.base, endpoint)
    print_table(out, table)
