"""Install the built package into a fresh environment of each interpreter, use it there, and say what it weighs.

    python scripts/check_package.py DIST [--extras all] INTERPRETER ...

Half of the interpreters get the wheel, the others the source archive. Whatever fails ends it with its output.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

USE = """
from importlib.resources import files
import sash
from sash import Conversation
assert files("sash").joinpath("py.typed").is_file()
with Conversation("chats.db", id="me", client="simulator") as chat:
    chat.send("My order number is 4711.")
    assert "4711" in chat.send("What was my order number?").text
store = sash.open("chats.db")
assert [info.turns for info in store.conversations()] == [4]
store.close()
"""
TYPED = 'from sash import Conversation\nConversation("chats.db", budget=1_000).send("Hello").text.upper()\n'
MISTYPED = 'from sash import Conversation\nConversation("chats.db", budgt=1_000)\n'
COMMANDS = (("--version",), ("usage", "chats.db"), ("show", "chats.db", "me"), ("search", "chats.db", "order"))
MEGABYTE = 1_000_000
HEAVIEST = 8


def call(*command: str | Path, cwd: Path | None = None) -> str:
    """What a command prints. Raises SystemExit, which shows it, where it fails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    said = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=clean, check=False, **said)
    if done.returncode:
        raise SystemExit(f"$ {' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def size(path: Path) -> int:
    """Bytes of a file or of all below a folder."""
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


def weights(python: Path) -> str:
    """What site-packages weighs, pip itself apart, and the heaviest in it."""
    place = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    found = sorted(((size(one), one.name) for one in place.iterdir() if not one.name.startswith("pip")), reverse=True)
    heaviest = ", ".join(f"{name} {weight / MEGABYTE:.0f}" for weight, name in found[:HEAVIEST])
    return f"site-packages {sum(weight for weight, _ in found) / MEGABYTE:.0f} MB ({heaviest})"


def check_types(python: Path, folder: Path) -> None:
    """A type checker that sees the installed package alone takes what is right and refuses what is misspelt."""
    mypy = (sys.executable, "-m", "mypy", "--python-executable", python, "--cache-dir", folder / "mypy", "-c")
    call(*mypy, TYPED, cwd=folder)
    refused = subprocess.run([*map(str, mypy), MISTYPED], cwd=folder, check=False, text=True, stdout=subprocess.PIPE)
    if "budgt" not in refused.stdout:
        raise SystemExit(f"the installed types let a misspelt argument pass:\n{refused.stdout}")


def check(package: Path, interpreter: str, extras: str) -> None:
    """Install the package into an environment of the interpreter, and use it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        call(interpreter, "-m", "venv", folder / "env")
        python = folder / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
        call(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"{package}{extras}")
        call(python, "-m", "pip", "check")
        call(python, "-W", "error", "-c", USE, cwd=folder)
        said = [call(python, "-m", "sash", *command, cwd=folder) for command in COMMANDS]
        call(python.with_name("sash"), "--version")
        check_types(python, folder)
        print(f"{package.name}{extras} on {interpreter}: {' '.join(said[0].split())}", weights(python), sep="\n    ")


def main() -> None:
    """Check one of both kinds of package on each interpreter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dist", type=Path)
    parser.add_argument("interpreters", nargs="+")
    parser.add_argument("--extras", default="")
    given = parser.parse_args()
    packages = [*sorted(given.dist.glob("*.whl")), *sorted(given.dist.glob("*.tar.gz"))]
    for n, interpreter in enumerate(given.interpreters):
        check(packages[n % len(packages)].resolve(), interpreter, f"[{given.extras}]" if given.extras else "")


if __name__ == "__main__":
    main()
