"""The real `mnist app` over a real registry, and Chromium to look at it with."""

import base64
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.repository import ROOT, environment

QUIET = [
    "--no-sandbox",  # Chromium's own does not start as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DROP = """([content, name, type]) => {
    const data = new DataTransfer();
    if (name === null) data.setData("text/plain", content);
    else data.items.add(new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], name, { type }));
    const at = (kind) => new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
    for (const kind of ["dragenter", "dragover", "drop"]) document.querySelector("#board").dispatchEvent(at(kind));
}"""


@dataclass
class Visit:
    """The open page, as a person would use it; `hosts` it asked, and `complaints` of the browser."""

    page: Page
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("request", lambda request: self.hosts.add(str(urlsplit(request.url).hostname)))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} {message.location}")

    def stroke(self, *points: tuple[float, float], lift: bool = True) -> None:
        """Draw with the mouse through points from 0 to 1, right and down."""
        box = self.page.locator("#board").bounding_box()
        assert box is not None
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=8)
        if lift:
            self.page.mouse.up()

    def drop(self, content: bytes, name: str | None, kind: str = "") -> None:
        """Drop a file, or without a name a text, on the board."""
        text = content.decode() if name is None else base64.b64encode(content).decode()
        self.page.evaluate(DROP, [text, name, kind])

    def board(self) -> bytes:
        """What is on the board, as a PNG."""
        address = str(self.page.evaluate("document.querySelector('#board').toDataURL()"))
        return base64.b64decode(address.partition(",")[2])

    def percents(self) -> list[float]:
        """The ten probabilities that the page shows once there is an answer to what is on the board."""
        expect(self.page.locator("#digit")).not_to_have_text("–")
        expect(self.page.locator("#answer")).to_have_attribute("aria-busy", "false")
        shown = self.page.locator("#bars .percent").all_inner_texts()
        return [float(text.removesuffix("%")) for text in shown]

    def is_empty(self) -> None:
        expect(self.page.locator("#digit")).to_have_text("–")
        expect(self.page.locator("#hint")).to_be_visible()


@pytest.fixture(scope="session")
def address(built: Path) -> Iterator[str]:
    """Where `mnist app` answers, over the two models of the small repository; Ctrl-C ends it without a word."""
    with subprocess.Popen(
        ["mnist", "app", "--port", "0"],
        cwd=built,
        env=environment(PYTHONPATH=str(ROOT / "src")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("http://127.0.0.1:"), process.communicate(timeout=30)
            yield line.split()[0]
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=30) == ("", "")
            assert process.returncode == 0
        finally:
            process.kill()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "Debian's chromium is missing: make test-browser installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def options() -> dict[str, Any]:
    """Of the browser's window; a test may ask for others."""
    return {"viewport": {"width": 1200, "height": 850}}


@pytest.fixture
def visit(address: str, browser: Browser, options: dict[str, Any], tmp_path: Path) -> Iterator[Visit]:
    """A fresh visit. Afterwards: nothing was asked of another machine, and the browser had nothing to complain about.

    A picture of the page at the end of the test is left in its temporary folder.
    """
    with browser.new_context(**options) as context:
        visit = Visit(context.new_page())
        visit.watch()
        visit.page.goto(address)
        expect(visit.page.locator("#model option")).to_have_count(2)
        yield visit
        visit.page.screenshot(path=tmp_path / "page.png")
        assert visit.hosts == {"127.0.0.1"}
        assert visit.complaints == []
