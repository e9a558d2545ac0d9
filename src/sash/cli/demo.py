"""`sash demo`: a real conversation replayed with one memory, with others, and under plain windows; then asked.

Draws what `sash.demo.run` plays. In a terminal the first run is shown line by line; elsewhere plain lines
tell how far it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TypeVar

import click
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from sash.cli.common import (
    console,
    dollars,
    json_option,
    moment,
    one_line,
    percent,
    print_json,
    say,
    turns_of,
    window_options,
)
from sash.cli.database import NEW_DATABASE, open_database, shown
from sash.cli.strategy import label
from sash.cli.tables import print_table
from sash.conversation.session import DEFAULT_MODEL
from sash.demo.run import Moment, Player, StrategyRow, Totals, table, to_json
from sash.demo.script import Script, from_file, shipped
from sash.errors import InvalidOption
from sash.planning.situation import Strategy
from sash.planning.strategies import Everything, SlidingWindow
from sash.stores import Store
from sash.types import MemoryMode

BUDGET = 8_000
COMPARED: tuple[MemoryMode, ...] = ("none", "lean")
"""Memories that the chosen one is compared with."""
FRAME = 0.05
"""Seconds that a line stays on the screen at least; the run itself is faster than one can read."""
LISTED = 16
"""Questions listed one by one; all of them are in the strips and in --json."""
CEILING = (
    "Answered: the share of the answer's words found in the reply. The simulator quotes sentences and neither reasons "
    "nor reckons dates, so what it answers from everything is the most that any strategy could reach here."
)
RIGHT = 0.5
"""Score from which an answer counts as right in the strips."""

T = TypeVar("T")


@click.command(short_help="Replay a conversation: what is paid, what is forgotten?")
@click.option(
    "--data", type=click.Path(exists=True), help="A file to replay: its first conversation, in any known format."
)
@window_options(budget=BUDGET)
@click.option("--turns", type=click.IntRange(min=2), help="Replay only the first turns.")
@click.option("--db", type=NEW_DATABASE, help="Keep the record of the first run in this file.")
@json_option
def demo(
    data: str | None,
    model: str | None,
    memory: MemoryMode,
    budget: int,
    keep: int | None,
    strategy: Strategy | None,
    turns: int | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Replay a long conversation on the simulator: what does each memory cost, what does it forget?"""
    out = console(stderr=as_json)
    script = from_file(data) if data else shipped()
    script = script.shortened(turns) if turns else script
    model = model or DEFAULT_MODEL
    first = Player(script, budget=budget, keep=keep, memory=memory, strategy=strategy, model=model, store=_store(db))
    others: list[tuple[MemoryMode, Strategy | None]] = [(other, strategy) for other in COMPARED if other != memory]
    others += [("none", window) for window in (SlidingWindow(), Everything()) if window != strategy]
    players = [first] + [
        Player(script, budget=budget, keep=keep, memory=mode, strategy=chosen, model=model) for mode, chosen in others
    ]
    try:
        _show_title(out, script, players[0])
        _play_live(out, players[0])
        for player in players[1:]:
            _watch(out, player.play(), len(script.lines), f"the same under {label(player.name)}")
        for player in players if script.probes else ():
            _watch(out, player.ask(), len(script.probes), f"questions to {label(player.name)}")
        if as_json:
            print_json(to_json(script, players))
        else:
            _show_results(out, script, players)
        if db:
            say(out, f"The record of the first run: sash show {shown(db)} demo")
    finally:
        for player in players:
            player.close()


def _store(db: str | None) -> Store | None:
    if db is None:
        return None
    store = open_database(db)
    if turns_of(store, "demo"):
        store.close()
        raise InvalidOption(f"{shown(db)} holds a demo already; choose another one", option="db", value=db)
    return store


def _show_title(out: Console, script: Script, player: Player) -> None:
    out.print(Text(script.title, style="bold"))
    chat = player.chat
    text = (
        f"{script.turns} turns and {len(script.probes)} questions; {chat.model} (simulated), at most "
        f"{chat.budget:,} prompt tokens a request, the newest {chat.keep:,} always whole."
    )
    say(out, text)
    if script.note:
        say(out, f"({script.note})", style="dim")


# ---- the first run, live ----------------------------------------------------------------------------


def _play_live(out: Console, player: Player) -> None:
    """Show the run line by line in a terminal, else every tenth part of it as a line."""
    if not out.is_terminal:
        _play_plain(out, player)
        return
    with Live(console=out, refresh_per_second=20) as live:
        for at in player.play():
            began = time.monotonic()
            live.update(_frame(at, player, out.width))
            time.sleep(max(0.0, FRAME - (time.monotonic() - began)))


def _play_plain(out: Console, player: Player) -> None:
    lines = len(player.script.lines)
    shown = {max(1, lines * tenth // 10) for tenth in range(1, 11)}
    say(out, label(player.name))
    for at in player.play():
        if at.totals.lines in shown:
            say(out, f"  {_where(at, lines)}; {_window(at)}; {_bill(at.totals)}")


def _frame(at: Moment, player: Player, width: int) -> Panel:
    plan, usage = at.reply.plan, at.reply.usage
    strip = _strip(plan.situation.fixed.tokens, usage.read, usage.prompt, plan.situation.limit, width - 4)
    said = one_line(" ".join(str(block.get("text", "")) for block in at.line.said), width - 12)
    body = Group(
        Text(f"{_where(at, len(player.script.lines))} · {moment(at.clock)}"),
        Text(f"“{said}”", style="italic dim"),
        strip,
        Text(_window(at)),
        Text(_bill(at.totals), style="bold"),
    )
    return Panel(body, title=label(player.name), title_align="left", subtitle=_legend(), subtitle_align="left")


def _strip(fixed: int, read: int, prompt: int, limit: int, width: int) -> Text:
    """The request as a strip as long as the budget: read from the cache, new, and room left."""
    scale = width / max(limit, prompt, 1)
    ends = [round(min(fixed, prompt) * scale), round(read * scale), round(prompt * scale), width]
    strip, begin = Text(), 0
    parts = (("▓", "yellow"), ("█", "blue"), ("▒", "green"), ("·", "dim"))
    for end, (sign, style) in zip(ends, parts, strict=True):
        strip.append(sign * max(0, end - begin), style=style)
        begin = max(begin, end)
    return strip


def _legend() -> Text:
    parts = (("▓ system", "yellow"), ("█ read from the cache", "blue"), ("▒ new", "green"), ("· room", "dim"))
    return Text("  ").join(Text(name, style=style) for name, style in parts)


def _where(at: Moment, lines: int) -> str:
    return f"turn {2 * at.totals.lines:>3} of {2 * lines}"


def _window(at: Moment) -> str:
    first = at.reply.plan.turns[0].seq
    outside = f" ({first - 1} in the record only)" if first > 1 else ""
    return f"window {at.reply.usage.prompt:,} of {at.reply.plan.situation.limit:,} tokens, from turn {first}{outside}"


def _bill(totals: Totals) -> str:
    cuts = "1 cut" if totals.cuts == 1 else f"{totals.cuts} cuts"
    return f"{percent(totals.usage.cached_share)} cached, {dollars(totals.dollars)}, {cuts} so far"


def _watch(out: Console, steps: Iterable[T], total: int, what: str) -> None:
    """Go through `steps` under a progress bar; where there is no terminal, a line says what was done."""
    if not out.is_terminal:
        _exhaust(steps)
        say(out, f"{what}: done")
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True) as progress:
        _exhaust(progress.track(steps, total=total, description=what))


def _exhaust(steps: Iterable[T]) -> None:
    for _ in steps:
        pass


# ---- the tables at the end --------------------------------------------------------------------------


def _show_results(out: Console, script: Script, players: Sequence[Player]) -> None:
    rows = table(players)
    print_table(out, _costs(rows))
    if script.probes:
        out.print(_strips(players))
        print_table(out, _questions(players))
        if any(probe.words for probe in script.probes):
            say(out, CEILING, style="dim")
    say(out, _verdict(rows), style="bold")


def _costs(rows: Sequence[StrategyRow]) -> Table:
    made = Table("memory, or window", title="what it cost, and what could still be answered", title_justify="left")
    for name in ("dollars", "times ours", "cached", "cuts", "mean prompt", "largest", "in view", "answered"):
        made.add_column(name, justify="right")
    for row in rows:
        made.add_row(
            Text(label(row.strategy)),
            dollars(row.totals.dollars),
            "–" if row.times is None else f"{row.times:.2f}",
            percent(row.totals.usage.cached_share),
            str(row.totals.cuts),
            f"{row.totals.mean_prompt:,.0f}",
            f"{row.totals.largest:,}",
            percent(row.in_view),
            percent(row.answered),
        )
    return made


def _in_order(players: Sequence[Player]) -> list[int]:
    """Indices of the questions, by where in the conversation the answer is."""
    probes = players[0].script.probes
    return sorted(range(len(probes)), key=lambda at: min(probes[at].lines, default=0))


def _strips(players: Sequence[Player]) -> Table:
    """One sign for each question, in the order of the conversation."""
    made = Table.grid(padding=(0, 1))
    for player in players:
        strip = Text()
        for at in _in_order(players):
            right = player.recalled[at].score >= RIGHT
            strip.append("■" if right else "·", style="green" if right else "red")
        made.add_row(Text(label(player.name), overflow="ellipsis", no_wrap=True), strip)
    made.add_row("", Text("said first  →  said last     ■ answered  · not", style="dim"))
    return made


def _questions(players: Sequence[Player]) -> Table:
    """Some of the questions, evenly from first to last."""
    order = _in_order(players)
    shown = order if len(order) <= LISTED else [order[at * len(order) // LISTED] for at in range(LISTED)]
    title = f"{len(shown)} of the {len(order)} questions" if len(shown) < len(order) else "the questions"
    made = Table("asked at the end", "answer", title=title, title_justify="left")
    for player in players:
        made.add_column(player.name.partition("(")[0], justify="center")
    for at in shown:
        probe = players[0].script.probes[at]
        cells = [_mark(player, at) for player in players]
        made.add_row(Text(one_line(probe.question, 70)), Text(one_line(probe.answers[0], 30)), *cells)
    return made


def _mark(player: Player, at: int) -> Text:
    found = player.recalled[at]
    if found.probe.words:
        return Text(percent(found.score), style="green" if found.score >= RIGHT else "red")
    return Text("yes", style="green") if found.score else Text("no", style="red")


def _verdict(rows: Sequence[StrategyRow]) -> str:
    """What the tables come to, in plain sentences."""
    ours, *others = rows
    told = [f"What this shows: with {_short(ours)} the conversation cost {dollars(ours.totals.dollars)}{_knew(ours)}."]
    told += [f"With {_short(row)} it cost {row.times:.2f} times as much{_knew(row)}." for row in others if row.times]
    return " ".join([*told, "What a request leaves out is not lost: it stays in the record."])


def _knew(row: StrategyRow) -> str:
    return "" if row.answered is None else f", and {percent(row.answered)} of the questions at the end were answered"


def _short(row: StrategyRow) -> str:
    return row.strategy.partition("(")[0]
