"""Write a small database as this version of sash writes it, with what it held: `tests/files/schema-NNN.db.gz`, `.json`.

Run it after a migration was appended: every later version must open the file, go on with its conversations and rebuild
its requests. `python scripts/old_files.py COMMIT ...` has the code of that commit write one;
what it could not do yet is left out, and named.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FILES = ROOT / "tests" / "files"
SYSTEM = "You are the clerk of a water mill."


def order_status(order: int) -> str:
    """Tell where an order is.

    Args:
        order: the number of the order
    """
    return f"Order {order} leaves the mill at nine."


# ---- by the version that writes -------------------------------------------------------------------------------------


def write(path: Path) -> dict[str, Any]:
    """Fill a new file with what this version can do; what it holds then, by conversation."""
    from sash.simulator import Simulator  # noqa: PLC0415 - of the version on PYTHONPATH

    sim = Simulator()
    client = sim.client()
    told = {}
    for name, fill in (("mill", _mill), ("tools", _tools), ("ann", _ann), ("summed", _summed), ("broken", _broken)):
        skipped = fill(path, name, client, sim)
        if skipped:
            print(f"{name}: not yet in this version: {', '.join(skipped)}", file=sys.stderr)
    for name in _names(path):
        told[name] = _held(path, name)
    return told


def _opened(path: Path, name: str, client: Any, **more: Any) -> Any:
    from sash import Conversation  # noqa: PLC0415

    return Conversation(path, id=name, client=client, system=SYSTEM, budget=1_500, keep=300, **more)


def _possible(steps: dict[str, Callable[[], Any]]) -> list[str]:
    """Take the steps; the names of those that this version lacks."""
    lacking = []
    for name, step in steps.items():
        try:
            step()
        except (ImportError, AttributeError, TypeError) as error:
            lacking.append(f"{name} ({error})")
    return lacking


def _mill(path: Path, name: str, client: Any, _: Any) -> list[str]:
    """A window that moves, a pin, an edit, a fork, an instruction, a redaction."""
    with _opened(path, name, client) as chat:
        chat.send("My name is Ann Baker, and my order is 4711.")
        first = chat.history()[0]
        lacking = _possible({"pin": lambda: chat.pin(first)})
        for n in range(6):
            chat.send(f"Sack {n} weighs {n * 7 + 20} kilos. " + "It stands by the door of the mill. " * 20)
        lacking += _possible(
            {
                "edit": lambda: chat.edit(chat.history()[-2], "What does sack 3 weigh?"),
                "regenerate": lambda: chat.regenerate(),  # noqa: PLW0108 - looked up late: a version may lack it
                "fork": lambda: chat.fork(id="fork").send("What if it rains? 雨が降ったら？"),
                "redact": lambda: chat.redact(chat.history()[2], reason="asked for"),
                "instruct": lambda: chat.instruct("Answer in one sentence."),
                "describe": lambda: chat.describe(title="The mill", metadata={"tags": ["water"]}),
            }
        )
        chat.send("What was my order?")
    return lacking


def _tools(path: Path, name: str, client: Any, _: Any) -> list[str]:
    with _opened(path, name, client) as chat:
        return _possible({"run": lambda: chat.run("Please check order_status for order 4711.", tools=[order_status])})


def _ann(path: Path, name: str, client: Any, _: Any) -> list[str]:
    from sash.errors import InvalidOption  # noqa: PLC0415

    try:
        chat = _opened(path, name, client, user="ann")
    except (InvalidOption, TypeError):
        return ["users"]
    with chat:
        chat.send("I'm allergic to walnuts, and from now on, please keep your answers short.")
        return _possible({"profile": lambda: chat.profile.set("Bakes on Fridays.", kind="fact")})


def _summed(path: Path, name: str, client: Any, _: Any) -> list[str]:
    try:
        from sash import Summarised  # noqa: PLC0415
    except ImportError:
        return ["summaries"]
    with _opened(path, name, client, strategy=Summarised(tokens=200)) as chat:
        for n in range(6):
            chat.send(f"Cake {n} is for table {n * 7}. " + "Please write that down for the baker. " * 18)
            _possible({"wait": lambda: chat.wait_for_background()})  # noqa: PLW0108
    return []


def _broken(path: Path, name: str, client: Any, sim: Any) -> list[str]:
    """A reply cut short, and a question that got no answer."""
    from sash.errors import RemoteError  # noqa: PLC0415
    from sash.simulator import Overloaded  # noqa: PLC0415

    with _opened(path, name, client) as chat:
        chat.send("The wheel turns in the water, and the water turns the wheel.")
        with chat.stream("What turns the wheel?") as stream:
            for _ in stream:
                break
        sim.fail_next(Overloaded(should_retry=False))
        try:
            chat.send("And what turns the water?")
        except RemoteError:
            return []
    return ["failing"]


def _names(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [name for (name,) in db.execute("SELECT name FROM conversations ORDER BY id")]


def _held(path: Path, name: str) -> dict[str, Any]:
    """Turns and requests of a conversation, as the version on PYTHONPATH reads them."""
    from sash import Conversation  # noqa: PLC0415

    with Conversation(path, id=name) as chat:
        return held(chat)


def held(chat: Any) -> dict[str, Any]:
    """What every version must find of a conversation: its turns, and the body of each request, as a digest."""
    turns = [[turn.role, turn.state, turn.text] for turn in chat.history()]
    return {"turns": turns, "bodies": list(_bodies(chat))}


def _bodies(chat: Any) -> Iterator[str | None]:
    """A digest of each request as it is rebuilt; None where a redaction left a gap, so that it is not what was sent."""
    from sash.errors import NotFound  # noqa: PLC0415

    for number in count(1):
        try:
            past = chat.request(number)
        except NotFound:
            return
        text = json.dumps(past.body, ensure_ascii=False)
        yield hashlib.sha256(text.encode()).hexdigest()[:16] if past.intact else None


# ---- what is kept of it ---------------------------------------------------------------------------------------------


def main() -> None:
    """Write the files that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commits", nargs="*", help="commits whose code is to write one [default: this code]")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write:
        print(json.dumps(write(given.write), ensure_ascii=False))
        return
    for commit in given.commits or [""]:
        with tempfile.TemporaryDirectory() as folder:
            keep(Path(folder), ROOT if not commit else _taken_out(commit, Path(folder)))


def _taken_out(commit: str, folder: Path) -> Path:
    packed = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "x", "-C", str(folder)], input=packed, check=True)
    return folder


def keep(folder: Path, code: Path) -> None:
    """Have the code write a file, and keep it, compressed, with what it holds."""
    path = folder / "chats.db"
    command = [sys.executable, __file__, "--write", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(code / "src")}
    told = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
    with closing(sqlite3.connect(path)) as db:
        applied = "SELECT count(*) FROM _sqlite_migrations WHERE migration_set = 'sash'"
        schema = db.execute(applied).fetchone()[0]
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    FILES.mkdir(exist_ok=True)
    target = FILES / f"schema-{schema:03}.db.gz"
    target.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    facts = json.dumps(json.loads(told), indent=1, ensure_ascii=False)
    target.with_name(f"schema-{schema:03}.json").write_text(f"{facts}\n", encoding="utf-8")
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
