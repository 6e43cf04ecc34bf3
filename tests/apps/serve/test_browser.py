"""The page in a real browser: a query asked by clicking, boxes seen, a bad upload answered."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import cv2
import numpy as np
import pytest

from tests.apps.serve.running import HERE, needs_gradio, running
from tests.shared import ROOT

CHROMIUM = Path(os.environ.get("DSG_CHROMIUM", "/usr/bin/chromium"))
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PICTURES = os.environ.get("DSG_SCREENSHOTS")  # a folder, to look at what was seen

pytestmark = [
    needs_gradio,
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None,
        reason="playwright is not installed (requirements-browser.txt)",
    ),
    pytest.mark.skipif(not CHROMIUM.is_file(), reason=f"{CHROMIUM} is absent (Debian's package chromium)"),
]


class Visit:
    """A tab of the browser on the page, with what it asked for."""

    def __init__(self, tab: Any) -> None:
        self.tab = tab
        self.hosts: set[str] = set()
        self.errors: list[str] = []
        tab.on("request", lambda request: self.hosts.add(urlparse(request.url).hostname or "data"))
        tab.on("pageerror", lambda error: self.errors.append(str(error)))

    def seen(self, name: str) -> None:
        """Keep a picture of the page, where somebody wants to look."""
        if PICTURES:
            self.tab.wait_for_timeout(500)
            self.tab.screenshot(path=str(Path(PICTURES) / f"{name}.png"))

    def choose(self, label: str, words: str) -> None:
        """Pick an entry of a list by typing and clicking, as people do."""
        box = self.tab.locator(f"#{label.lower()} input")
        box.click()
        box.fill(words)
        self.tab.get_by_role("option", name=words, exact=True).click()

    def upload(self, path: Path) -> None:
        """Take the picture away that is there, and send another."""
        if not self.tab.locator("#upload input[type=file]").count():
            self.tab.locator("#upload button[aria-label=Clear]").click()
        self.tab.set_input_files("#upload input[type=file]", str(path))


@pytest.fixture(scope="module")
def visit() -> Iterator[Visit]:
    from playwright.sync_api import sync_playwright

    with running() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=OPTIONS)
        visit = Visit(browser.new_page(viewport={"width": 1280, "height": 950}))
        visit.tab.set_default_timeout(30_000)
        visit.tab.goto(url)
        visit.tab.wait_for_selector("#ask")
        yield visit
        browser.close()


def test_a_query_is_asked_by_clicking(visit: Visit) -> None:
    tab = visit.tab
    tab.locator("#examples button").first.click()
    tab.wait_for_selector("#answer svg image", state="attached")
    visit.choose("Subject", "blue metal cylinder")
    visit.choose("Relation", "left")
    visit.choose("Object", "blue metal cylinder")
    tab.locator("#examples button").first.click()  # shown already: what was picked since stays
    tab.wait_for_timeout(500)
    tab.click("#ask")
    tab.wait_for_selector("#answer .subject rect", state="attached")
    visit.seen("answer")
    image = tab.locator("#answer svg image").bounding_box()
    scale = image["width"] / 384
    for role, box in (("subject", (104, 69, 139, 111)), ("object", (178, 84, 215, 130))):
        place = tab.locator(f"#answer .{role} rect").first.bounding_box()
        found = [place["x"] - image["x"], place["y"] - image["y"], place["width"], place["height"]]
        expected = np.multiply([box[0], box[1], box[2] - box[0], box[3] - box[1]], scale)
        np.testing.assert_allclose(found, expected, atol=8)  # within lines and rounding


def test_layers_are_switched(visit: Visit) -> None:
    tab = visit.tab
    boxes, roles = tab.locator("#answer .all rect"), tab.locator("#answer .subject rect")
    assert boxes.count() == 7 and not boxes.first.is_visible() and roles.first.is_visible()
    tab.locator("label[for=dsg-show-all]").click()
    assert boxes.first.is_visible()
    tab.locator("#answer .all g").last.hover(force=True)
    visit.seen("boxes")
    assert "subject" in tab.locator("#answer .all g title").first.text_content()
    tab.locator("label[for=dsg-show-roles]").click()
    assert not roles.first.is_visible()


def test_attention_graph_and_numbers(visit: Visit) -> None:
    tab = visit.tab
    tab.get_by_role("tab", name="Attention").click()
    rows = tab.locator("#attention .pays")
    assert rows.count() == 7
    given = rows.nth(2).locator(".given rect").first
    assert not given.is_visible()
    rows.nth(2).locator(".cell").first.hover()
    assert given.is_visible()
    visit.seen("attention")
    tab.get_by_role("tab", name="Scene graph").click()
    picture = tab.locator("#graph img")
    picture.wait_for()
    assert picture.evaluate("image => image.naturalWidth") > 300
    visit.seen("graph")
    tab.get_by_role("tab", name="Numbers").click()
    assert "network" in tab.locator("#timings").inner_text()
    visit.seen("numbers")
    tab.get_by_role("tab", name="Answer").click()


def test_bad_uploads_are_answered(visit: Visit, tmp_path: Path) -> None:
    tab = visit.tab
    (tmp_path / "notes.png").write_text("no picture")
    visit.upload(tmp_path / "notes.png")
    alert = tab.locator("#answer [role=alert]")
    alert.wait_for()
    assert alert.inner_text() == "notes.png is not an image that can be read: send a JPEG, PNG, WebP or BMP."
    visit.seen("refused")
    assert not tab.locator("#graph img").count()  # nothing is left of the answer before
    tab.click("#ask")
    tab.wait_for_timeout(300)
    alert.wait_for()

    (tmp_path / "large.png").write_bytes(bytes(400_000))
    visit.upload(tmp_path / "large.png")
    tab.get_by_text("exceed").first.wait_for()
    visit.seen("too_large")


def test_an_upload_is_answered(visit: Visit, tmp_path: Path) -> None:
    tab = visit.tab
    picture = cv2.imread(str(ROOT / "data" / "demo" / "images" / "demo_0.png"))
    cv2.imwrite(str(tmp_path / "mine.jpg"), cv2.resize(picture, None, fx=2, fy=2))
    visit.upload(tmp_path / "mine.jpg")
    tab.wait_for_selector("#answer svg[viewBox='0 0 768.0 512']", state="attached")
    tab.click("#ask")
    tab.wait_for_selector("#answer .subject rect", state="attached")
    visit.seen("upload")
    assert abs(float(tab.locator("#answer .subject rect").first.get_attribute("x")) - 208) < 8


def test_nothing_was_fetched_from_elsewhere(visit: Visit) -> None:
    assert visit.hosts <= {HERE, "data"}
    assert not visit.errors
