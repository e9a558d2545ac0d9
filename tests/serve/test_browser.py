"""What a person sees and does, in headless Chromium. Skipped where there is no browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sash import Conversation, File, MemoryStore, Recall, SteppedWindow
from sash.serve.settings import AccessToken
from sash.simulator import Simulator

from .conftest import PNG
from .running import PATIENCE, running, slow_simulator

api = pytest.importorskip("playwright.sync_api", reason="no Playwright here: pip install --group dev")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe here: pip install --group dev")

CHROMIUM = os.environ.get("SASH_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium here: install it, or name it in SASH_CHROMIUM"),
]
FLAGS = (
    *("--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
HOSTILE = (
    "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\"> \u202egnp.exe "
    "[a](javascript:document.title='run') <a href=http://evil.example onmouseover=alert(1)>x</a> " + "W" * 3_000
)
WIDTHS = (360, 1600)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for all tests here."""
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[str, MemoryStore, Simulator]]:
    """A served record with all that pages show: cuts, recall, a branch, a picture, hostile texts, memory."""
    store, sim = MemoryStore(), Simulator()
    with Conversation(
        store, id="cellar", user="ann", client=sim.client(), clock=sim.clock.now, budget=2_000, keep=300,
        max_tokens=300, strategy=SteppedWindow(), recall=Recall(tokens=400),
    ) as chat:  # fmt: skip
        chat.send("The password of the cellar is zebrawood 4471. From now on, please keep your answers short.")
        for number in range(9):
            chat.send(f"Tell me something different about the weather, please, number {number}. " * 6)
        chat.send("What is the password of the cellar?")
        chat.edit(chat.history()[-2], "What was the number of the cellar?")
        chat.describe(title="The cellar", metadata={"tags": ["home"]})
    with Conversation(store, id="odd", user=HOSTILE[:80], client=sim.client()) as chat:
        chat.extend([{"role": "user", "content": [HOSTILE, File(PNG)]}, {"role": "assistant", "content": HOSTILE}])
        chat.describe(title=HOSTILE[:300])
    slow = slow_simulator()
    with running(store, slow.async_client(), budget=2_000) as (url, _):
        yield url.rstrip("/"), store, slow


class Tab:
    """A page that notes what its console says, and whatever it asks of other servers."""

    def __init__(self, chromium: Any, url: str, **options: Any) -> None:
        self.page = chromium.new_page(**options)
        self.page.set_default_timeout(PATIENCE * 1_000)
        self.url, self.trouble = url, list[str]()
        self.page.on("console", lambda said: self.trouble.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("request", lambda asked: self._note(asked.url))
        self.page.on("response", lambda one: self.trouble.append(one.url) if one.status >= 400 else None)

    def _note(self, address: str) -> None:
        if not address.startswith((self.url, "data:")):
            self.trouble.append(address)

    def open(self, path: str) -> Any:
        """Go to a page of the site."""
        self.page.goto(self.url + path)
        return self.page


PAGES = (
    "/", "/?q=cellar", "/c/cellar", "/c/odd", "/c/cellar/requests/11", "/c/cellar/settings", "/usage", "/memory",
    "/memory/ann", "/c/cellar/strategies?run=1&budget=2000&keep=500", "/api/docs", "/nowhere",
)  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "paths", "looked_for"), [("light", PAGES, {}), ("dark", PAGES[2:7:2], {"runOnly": ["color-contrast"]})]
)
def test_every_page_is_fit_to_be_read(chromium: Any, site: Any, scheme: str, paths: Any, looked_for: Any) -> None:
    """Contrast, labels and names pass axe; nothing sticks out at 360 or 1,600 pixels; the console has no error."""
    url, *_ = site
    tab, checker = Tab(chromium, url, color_scheme=scheme), axe.Axe()
    found = list[tuple[str, ...]]()
    for path in paths:
        page = tab.open(path)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            if page.evaluate("document.documentElement.scrollWidth") > width:
                found.append((path, f"wider than {width}"))
        rules = checker.run(page, options={"resultTypes": ["violations"], **looked_for}).response["violations"]
        found += [(path, rule["id"], rule["nodes"][0]["html"][:120]) for rule in rules]
    tab.page.close()
    assert found == [], found
    assert [said for said in tab.trouble if "404" not in said and "/nowhere" not in said] == []


def test_what_was_said_never_runs(chromium: Any, site: Any) -> None:
    """Hostile titles, users and texts leave no element, change no title, load nothing, in no page that shows them."""
    url, *_ = site
    tab = Tab(chromium, url)
    for path in ("/", "/c/odd", "/?q=gnp", "/memory", "/c/odd/settings"):
        page = tab.open(path)
        assert page.title() != "run"
        assert page.locator("#main script, #main [onerror], #main [onmouseover], a[href^='javascript']").count() == 0
    page = tab.open("/c/odd")
    assert page.locator("article img").first.evaluate("one => one.naturalWidth") == 1
    tab.page.close()
    assert tab.trouble == []


def test_talking_stopping_editing_and_forking(chromium: Any, site: Any) -> None:
    """A reply streams in and becomes part of the page; a long one can be stopped; an edit and a fork go other ways."""
    url, store, sim = site
    tab, before = Tab(chromium, url), len(store.conversations())
    page = tab.open("/")
    page.get_by_role("button", name="New conversation").click()
    say = page.get_by_label("Say something")
    say.fill("The mill has *three* wheels.")
    page.set_input_files('input[type="file"]', [{"name": "a.png", "mimeType": "image/png", "buffer": PNG}])
    say.press("Enter")
    page.locator("article.assistant:not(:has(.live))").wait_for()
    assert page.locator("article.user em").inner_text() == "three"
    assert page.locator("article.user img").count() == 1
    say = page.get_by_label("Say something")
    say.fill("Please tell me all of it.")
    sim.script(["The wheel turns and the water runs. " * 400])
    say.press("Enter")
    page.locator(".live.working:not(:empty)").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.locator("article.assistant .chip", has_text="interrupted").wait_for()
    page.get_by_role("button", name="Edit").last.click()
    page.get_by_label("Say something").fill("How many wheels has the mill?")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("another branch leaves here").wait_for()
    page.get_by_role("button", name="Fork here").first.click()
    page.wait_for_url("**/c/*-*")
    assert page.locator("article").count() == 2
    tab.page.close()
    assert tab.trouble == []
    assert len(store.conversations()) == before + 2


def test_the_window_is_told_to_pointer_and_keyboard(chromium: Any, site: Any) -> None:
    """A part's tokens and why it is in stand below the strip when it is pointed at, or reached by arrow keys."""
    url, *_ = site
    tab = Tab(chromium, url, viewport={"width": 1280, "height": 900})
    page = tab.open("/c/cellar")
    tip, parts = page.locator("#window .tip"), page.locator("#window svg.strip a")
    parts.first.hover(force=True)
    assert "tokens" in tip.inner_text()
    parts.last.focus()
    last = tip.inner_text()
    page.keyboard.press("ArrowLeft")
    assert "tokens" in tip.inner_text() != last
    chart = page.locator("svg.chart a").last
    chart.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/requests/12")
    tab.page.close()
    assert tab.trouble == []


def drop(page: Any, target: Any, *paths: Path) -> None:
    """Drag files of this machine over an element, and let go: as the browser itself is told of it."""
    box, session = target.bounding_box(), page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "data": data}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **place})


def test_files_are_dropped_on_the_box(chromium: Any, site: Any, tmp_path: Path) -> None:
    """Dropped files are named, one can be taken away again, and the others go with what is said, as what they are."""
    url, store, _ = site
    picture, note = tmp_path / "a.png", tmp_path / "note.md"
    picture.write_bytes(PNG)
    note.write_text("The sluice is *shut*.")
    tab = Tab(chromium, url)
    page = tab.open("/c/dropped?new=1")
    drop(page, page.locator("form.composer"), picture, note)
    drop(page, page.locator("form.composer"), note)
    named = page.locator(".composer .files > *")
    assert named.count() == 3
    named.last.click()
    assert named.count() == 2
    page.get_by_label("Say something").fill("What is in them?")
    page.get_by_label("Say something").press("Enter")
    page.locator("article.assistant:not(:has(.live))").wait_for()
    assert page.locator("article.user img").first.evaluate("one => one.naturalWidth") == 1
    said = store.turns.read(store.branches.open(namespace="", id="dropped").conversation)[0].blocks
    assert sorted(block["type"] for block in said) == ["document", "image", "text"]
    tab.page.close()
    assert tab.trouble == []


def test_signing_in_and_out(chromium: Any) -> None:
    """A page asks for the token and goes on where it was asked; scripts do not see the cookie; signing out ends it."""
    store, token = MemoryStore(), "correct-horse-battery"
    with Conversation(store, id="mill", client="simulator") as chat:
        chat.send("The mill has three wheels.")
    with running(store, slow_simulator(0).async_client(), tokens=(AccessToken(token=token),)) as (url, _):
        tab = Tab(chromium, url.rstrip("/"))
        page = tab.open("/c/mill")
        page.wait_for_url("**/login?to=/c/mill")
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("alert").wait_for()
        assert [said for said in tab.trouble if "403" not in said and "/login" not in said] == []
        tab.trouble.clear()
        page.get_by_label("Token").fill(token)
        page.keyboard.press("Enter")
        page.wait_for_url("**/c/mill")
        assert "three wheels" in page.locator("article.user").inner_text()
        assert page.evaluate("document.cookie") == ""
        page.get_by_label("Say something").fill("How many wheels?")
        page.keyboard.press("Enter")
        page.locator("article.assistant:not(:has(.live))").nth(1).wait_for()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/login")
        tab.open("/c/mill")
        page.wait_for_url("**/login?to=/c/mill")
        tab.page.close()
        assert tab.trouble == []
