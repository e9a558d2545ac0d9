"""Take the pictures of README and guides anew: the demo in a terminal and in `sash serve`, a bakery's help desk.

    python scripts/screenshots.py           # needs Chromium: the one on PATH, or what SASH_CHROMIUM names
    python scripts/screenshots.py bakery    # its pages alone

Some minutes: the demo runs whole, on the simulator.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.text import Text

from sash import Conversation, SteppedWindow
from sash.simulator import Simulator

IMAGES = Path(__file__).parents[1] / "docs" / "images"
COLUMNS = 106
FIRST, LAST = "what it cost, and what could still be answered", "said first"
"""The lines of the demo between which its picture is taken."""
PORT = 8651
DESK = (
    "You run a small bakery's help desk. Orders are numbered; tables are, too. Be friendly, and never guess a number."
)
STYLE = "font:14px/1.25 DejaVu Sans Mono,monospace;margin:0;padding:14px 18px;width:fit-content"


def demo(database: Path) -> str:
    """What `sash demo` prints to a terminal, with its colours; its record goes to `database`."""
    terminal = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "sash", "demo", "--db", str(database)]
    return subprocess.run(command, env=terminal, check=True, capture_output=True, text=True).stdout


def result(printed: str) -> str:
    """The table and the strip at its end, as a page."""
    lines = re.sub(r"\x1b\[\?\d+[hl]|\x1b\[\d*[A-LN-Z]|\r", "", printed).splitlines()
    begin = max(n for n, line in enumerate(lines) if FIRST in line)
    end = next(n for n in range(begin, len(lines)) if LAST in lines[n])
    console = Console(record=True, width=COLUMNS, file=StringIO())
    console.print("$ sash demo")
    console.print(Text.from_ansi("\n".join(lines[begin : end + 1])))
    drawn = console.export_html(inline_styles=True, code_format="{code}")
    return f'<body style="margin:0"><pre style="{STYLE}">{drawn}</pre></body>'


@contextmanager
def served(database: Path, *options: str) -> Iterator[str]:
    """The address of `sash serve` over the record."""
    command = [sys.executable, "-m", "sash", "serve", str(database), "--simulator", "--port", str(PORT), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        while "http" not in server.stdout.readline():
            pass
        try:
            yield f"http://127.0.0.1:{PORT}"
        finally:
            server.terminate()


def order_status(order: int) -> str:
    """Tell where an order is."""
    return f"Order {order} leaves the oven at nine. It is for table 7."


def bakery(database: Path) -> None:
    """A record with all that a conversation's page shows: cuts, quotations, a pin, an instruction, a tool, branches."""
    simulator = Simulator()
    with Conversation(
        database, id="desk", user="ann", system=DESK, client=simulator.client(), clock=simulator.clock.now,
        budget=2_600, keep=600, max_tokens=400, strategy=SteppedWindow(), memory="balanced",
    ) as chat:  # fmt: skip
        chat.describe(title="The bakery's help desk", metadata={"tags": ["bakery"]})
        for number in range(1, 19):
            order = f"**Cake {number}** is for table {number * 7}, order {4699 + number}."
            chat.send(f"{order} {'Please write that down. ' * 12}\n\n- the table\n- the order")
            simulator.clock.advance(120)
        chat.pin(chat.history()[0])
        chat.instruct("The customers are in a hurry: be brief.")
        chat.run("Please check order_status for order 4711.", tools=[order_status])
        chat.send("What was the number of the order for cake 3?")
        chat.edit(chat.history()[-2], "What was the number of the order for cake 5?")


def bakery_pages(browser: Browser, url: str) -> None:
    """Its conversation (light, dark, narrow), a request, what it cost."""
    for name, place, width in (
        ("conversation", "/c/desk", 1280),
        ("conversation-dark", "/c/desk", 1280),
        ("conversation-narrow", "/c/desk", 390),
        ("request", "/c/desk/requests/20", 1280),
        ("usage-dark", "/usage", 1280),
    ):
        scheme: Literal["dark", "light"] = "dark" if name.endswith("-dark") else "light"
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.goto(url + place, wait_until="networkidle")
        page.screenshot(path=IMAGES / f"{name}.png")
        page.close()


def demo_pages(browser: Browser, database: Path) -> None:
    """The end of the demo in a terminal, and its record."""
    page = browser.new_page(viewport={"width": 960, "height": 400}, device_scale_factor=1.5)
    page.set_content(result(demo(database)))
    page.locator("pre").first.screenshot(path=IMAGES / "demo.png")
    with served(database) as url:
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.goto(url)
        page.locator("main tbody a, main li a, main article a").first.click()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=IMAGES / "demo-record.png")


def main() -> None:
    """Take them all, or those of the bakery alone."""
    chromium = os.environ.get("SASH_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        bakery(Path(folder) / "bakery.db")
        with served(Path(folder) / "bakery.db", "--budget", "2600") as url:
            bakery_pages(browser, url)
        if "bakery" not in sys.argv:
            demo_pages(browser, Path(folder) / "demo.db")
        browser.close()


if __name__ == "__main__":
    main()
