"""`sash show`, `sash search`, `sash usage`: what a database holds. They change nothing and need no key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import IO, Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from sash.cli.common import (
    console,
    dollars,
    find,
    json_option,
    moment,
    namespace,
    one_line,
    percent,
    print_json,
    printable,
    spent,
    user_of,
)
from sash.cli.database import DATABASE, open_database
from sash.cli.facts import conversation_facts, hit_facts, request_facts, turn_facts
from sash.cli.strategy import label
from sash.cli.tables import print_table
from sash.conversation.session import DEFAULT_MODEL
from sash.errors import InvalidOption
from sash.formats import ImportedConversation
from sash.limits.ceilings.policy import Account, Charge
from sash.limits.memo.policy import MemoUse
from sash.model.epochs import Epoch, Request
from sash.model.turns import Turn
from sash.model.values import counted
from sash.model.window import Head
from sash.planning import explain
from sash.stores import Store
from sash.stores.attempts import AttemptSums
from sash.stores.port import ConversationInfo, Hit, UsageRow

LISTED = 50
TURNS = 20
MANY = 100_000
GROUPS = ("day", "model", "conversation", "user", "project", "origin")


@click.command(short_help="List conversations, or show one and its window")
@click.argument("database", type=DATABASE)
@click.argument("id", required=False)
@click.option(
    "--limit", type=click.IntRange(min=1), help=f"Newest conversations [{LISTED}], or turns [{TURNS}], shown."
)
@click.option("--user", callback=user_of, help="List this user's conversations.")
@click.option("--full", is_flag=True, help="Show turns whole.")
@click.option("--html", type=click.File("w", encoding="utf-8", atomic=True), help="Write it as one HTML page.")
@json_option
def show(
    database: str,
    id: str | None,
    limit: int | None,
    user: str | None,
    full: bool,
    html: IO[str] | None,
    as_json: bool,
) -> None:
    """List the conversations of DATABASE, or show the one named ID: its turns, its window, its requests."""
    with closing(open_database(database)) as store:
        if id is None:
            if html is not None:
                raise InvalidOption(
                    "--html shows one conversation; name it: sash show DB ID", option="html", value=None
                )
            _show_list(store.conversations(namespace=namespace(), limit=limit or LISTED, user=user), as_json)
            return
        head = find(store, id)
        if html is not None:
            html.write(page_of(store, head, id))
        _show_one(store, head, id, limit or TURNS, full=full, as_json=as_json)


def _show_list(found: Sequence[ConversationInfo], as_json: bool) -> None:
    if as_json:
        print_json([conversation_facts(info) for info in found])
        return
    out = console()
    if not found:
        out.print("no conversations yet")
        return
    whose = ["user"] if any(info.user for info in found) else []
    table = Table("id", *whose, "title", "turns", "requests", "cost", "last used (UTC)")
    for name in ("turns", "requests", "cost"):
        _right(table, name)
    for info in found:
        table.add_row(
            Text(info.id, overflow="fold"),
            *(Text(one_line(info.user, 40)) for _ in whose),
            Text(one_line(info.title or "", 60)),
            f"{info.turns:,}",
            f"{info.requests:,}",
            spent(info.dollars, info.unpriced),
            moment(info.updated_at),
        )
    print_table(out, table)


def _show_one(store: Store, head: Head, id: str, limit: int, *, full: bool, as_json: bool) -> None:
    info = store.describe(id, namespace=namespace())
    turns = store.turns.read(head.conversation, limit=limit, newest=True)
    numbers = range(max(1, head.requests - limit + 1), head.requests + 1)
    requests = [store.requests.read(head.conversation, number=n)[:2] for n in numbers]
    if as_json:
        print_json(
            {
                "conversation": conversation_facts(info),
                "turns": [turn_facts(turn) for turn in turns],
                "requests": [request_facts(*one) for one in requests],
            }
        )
        return
    out = console()
    _show_head(out, info, head)
    _show_turns(out, turns, head, full)
    if requests:
        _show_epochs(out, requests)
        _show_plan(out, requests[-1][0])


def _show_head(out: Console, info: ConversationInfo, head: Head) -> None:
    title = f" ({one_line(info.title, 80)})" if info.title else ""
    out.print(Text(f"{info.id}{title}", style="bold"))
    cost = spent(info.dollars, info.unpriced)
    whose = f" of {printable(info.user)}" if info.user else ""
    out.print(Text(f"{counted(head.seq, 'turn')}{whose}, {counted(head.requests, 'request')}, {cost}; times in UTC"))


def _show_turns(out: Console, turns: Sequence[Turn], head: Head, full: bool) -> None:
    start = head.epoch.first_seq if head.epoch else None
    table = Table("turn", "role", "state", "when", "text", show_lines=full)
    _right(table, "turn")
    for turn in turns:
        text = printable(turn.text) if full else one_line(turn.text, 160)
        outside = start is not None and turn.seq < start
        table.add_row(
            str(turn.seq), turn.role, turn.state, moment(turn.at), Text(text), style="dim" if outside else None
        )
    print_table(out, table)
    if start is not None and start > 1:
        out.print(f"The turns before {start} (dimmed) are kept, but no longer sent, except what is pinned.")


def _show_epochs(out: Console, found: Sequence[tuple[Request, Epoch]]) -> None:
    names = ("requests", "sent from turn", "model", "strategy", "why")
    table = Table(*names, title="how the window moved", title_justify="left")
    for epoch in {epoch.id: epoch for _, epoch in found}.values():
        numbers = [request.number for request, its in found if its.id == epoch.id]
        span = f"{numbers[0]}–{numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"
        table.add_row(span, str(epoch.first_seq), Text(epoch.model), Text(label(epoch.strategy)), Text(epoch.reason))
    print_table(out, table)


def _show_plan(out: Console, request: Request) -> None:
    why, expected, used = request.why, request.expected, request.usage
    lines = [
        f"Last request: number {request.number}, {request.state}, {moment(request.at)}, {request.sent.model}.",
        f"{explain.sentence(str(why.get('reason')))}.",
        f"Expected: {expected.prompt:,} prompt tokens, at most {expected.upper:,}; allowed: {why.get('budget'):,}.",
        f"Of these {explain.split(expected.read, expected.write, expected.fresh)}.",
    ]
    if used is not None:
        lines.append(
            f"Used: {used.prompt:,} prompt tokens, {explain.split(used.read, used.write, used.fresh)}; "
            f"{used.output:,} tokens of reply; {dollars(request.cost)}."
        )
    if request.error:
        lines.append(f"It failed: {request.error}.")
    out.print(Text("\n".join(lines)))


def page_of(store: Store, head: Head, id: str, *, carried: ImportedConversation | None = None) -> str:
    """A conversation as one HTML page under its title, `carried` in it to be read back."""
    model = head.epoch.model if head.epoch else DEFAULT_MODEL
    title = store.describe(id, namespace=namespace()).title
    return str(_load_page()(store, head.conversation, title or id, model, carried=carried))


def _load_page() -> Any:
    from sash.inspect.html import page  # noqa: PLC0415 - its templates are a larger import

    return page


@click.command(short_help="Find turns by their words, or by meaning")
@click.argument("database", type=DATABASE)
@click.argument("query")
@click.option("--id", "id", help="Search this conversation only.")
@click.option("--user", callback=user_of, help="Search this user's conversations only.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Hits shown.")
@click.option("--semantic", is_flag=True, help="Find by meaning, whatever the words (extra `semantic`).")
@json_option
def search(
    database: str, query: str, id: str | None, user: str | None, limit: int, semantic: bool, as_json: bool
) -> None:
    """Find turns that hold all words of QUERY, or (--semantic) that mean something like it, the best first."""
    with closing(open_database(database)) as store:
        if semantic:
            hits: Sequence[Hit] = _near(store, query, id, user, limit)
        else:
            hits = store.search(query, namespace=namespace(), user=user, conversation=id, limit=limit)
    if as_json:
        print_json(hit_facts(hits))
        return
    out = console()
    for hit in hits:
        out.print(_hit(hit), soft_wrap=True)
    if not hits:
        out.print("nothing found" if semantic else "nothing found; all words of the query must occur in one turn")


def _near(store: Store, query: str, id: str | None, user: str | None, limit: int) -> list[Hit]:
    """The turns nearest in meaning, in one conversation or in all; a turn that forks share is shown once."""
    found = store.conversations(namespace=namespace(), user=user, limit=MANY)
    names = [info.id for info in found if id in (None, info.id)] if user or not id else [id]
    hits: dict[int, Hit] = {}
    for name in names:
        key = find(store, name).conversation
        store.index.embed(key, embedder=True)
        near = dict(store.index.near(key, text=query, embedder=True, gains=(), most=limit))
        turns = store.index.read(key, seqs=tuple(near), model="")
        for turn, _ in turns:
            hits.setdefault(turn.id, _as_hit(name, turn, near[turn.seq]))
    return sorted(hits.values(), key=lambda hit: hit.score)[:limit]


def _as_hit(name: str, turn: Turn, closeness: float) -> Hit:
    """A turn as a search result; the smaller the score the better, as with words."""
    return Hit(
        conversation=name, turn=turn.id, seq=turn.seq, role=turn.role, at=turn.at,
        snippet=turn.text, score=-closeness,
    )  # fmt: skip


def _hit(hit: Hit) -> Text:
    line = Text(f"{hit.conversation} turn {hit.seq}, {hit.role}, {moment(hit.at)}  ", style="dim")
    line.append(one_line(hit.snippet, 400), style="not dim")
    line.highlight_regex(r"\[[^\[\]]*\]", "bold not dim")
    return line


@click.command(short_help="What requests used and cost")
@click.argument("database", type=DATABASE)
@click.option("--by", default="day,model", show_default=True, help=f"Groups, with commas: {', '.join(GROUPS)}.")
@click.option("--id", "id", help="This conversation only.")
@click.option("--user", callback=user_of, help="This user's conversations only.")
@json_option
def usage(database: str, by: str, id: str | None, user: str | None, as_json: bool) -> None:
    """What requests used and cost: tokens, share read from the cache, dollars.

    Imported requests count with those sent from here; --by origin tells them apart. A project is what an import, or an
    app, says of a conversation (its metadata).
    """
    groups = [name.strip() for name in by.split(",") if name.strip()]
    with closing(open_database(database)) as store:
        rows = store.usage(by=groups, namespace=namespace(), user=user, conversation=id)
        sums = store.attempts.sums(namespace=namespace(), conversation=id)
        accounts = store.spend.newest()
        memo = store.memos.use()
    if as_json:
        print_json([_as_json(groups, row) for row in rows])
        return
    print_table(console(), _usage_table(groups, rows))
    whole = (*map(_account, accounts), *_memo(memo)) if id is None else ()
    for line in () if user else (*_attempts(sums), *whole):
        console().print(Text(line), soft_wrap=True)


def _attempts(sums: AttemptSums) -> Iterator[str]:
    """What the meter wrote down, where it was on."""
    if sums.attempts:
        yield (
            f"{sums.attempts:,} attempts, {sums.retries:,} of them retries; {sums.limited:,} met a rate limit, "
            f"{sums.failed:,} failed; {sums.waited:,.1f} s waited for a turn"
        )
    if sums.held:
        held = ", ".join(f"{name} {count:,}" for name, count in sorted(sums.held.items()))
        yield f"not sent, by what answered or held them: {held}"


def _memo(use: MemoUse) -> Iterator[str]:
    """What was answered from memory, where that was on."""
    if use.asked:
        yield (
            f"memo: {use.hits:,} of {use.asked:,} requests answered ({percent(use.rate)}), {dollars(use.saved)} saved; "
            f"{counted(use.entries, 'reply')} kept, {use.size:,} bytes"
        )


def _account(found: tuple[Account, Charge]) -> str:
    account, held = found
    who = f"{account.scope} {account.key}".strip()
    return f"ceiling of {who}, {account.period}: {dollars(held.dollars)} and {held.tokens:,} tokens booked"


def _as_json(groups: Sequence[str], row: UsageRow) -> dict[str, object]:
    facts = asdict(row)
    del facts["group"]
    named = zip(groups, row.group, strict=False)  # without groups, the one row is called "all"
    return {**dict(named), **facts, "cached_share": row.cached_share}


def _usage_table(groups: Sequence[str], rows: Sequence[UsageRow]) -> Table:
    names = (Column(name, overflow="fold", no_wrap=name == "day") for name in groups or ["all"])
    table = Table(*names, show_footer=len(rows) > 1, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    sums = [sum(getattr(row, name) for row in rows) for name in ("requests", "prompt", "read", "written", "output")]
    prompt, read = sums[1], sums[2]
    footers = [f"{total:,}" for total in sums]
    cost = spent(sum(row.dollars for row in rows), sum(row.unpriced for row in rows))
    footers += [percent(read / prompt if prompt else 0.0), cost]
    numbers = ("requests", "prompt", "read", "written", "output", "cached", "cost")
    for name, footer in zip(numbers, footers, strict=True):
        table.add_column(name, footer=footer, justify="right", no_wrap=True)  # names give way in a narrow terminal
    for row in rows:
        table.add_row(
            *(Text(name) for name in row.group),
            *(f"{number:,}" for number in (row.requests, row.prompt, row.read, row.written, row.output)),
            percent(row.cached_share),
            spent(row.dollars, row.unpriced),
        )
    return table


def _right(table: Table, name: str) -> None:
    for column in table.columns:
        if column.header == name:
            column.justify = "right"
