"""The page of a detector in a real browser: an example detected, the slider moved, masks switched off."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import dsg
from dsg.apps.serve.command import find_examples, free_port, opened
from dsg.apps.serve.detection_service import DetectionService
from dsg.apps.serve.page import import_gradio
from tests.apps.serve.running import DEMO, HERE, LIMITS
from tests.apps.serve.test_browser import CHROMIUM, OPTIONS, Visit, pytestmark  # noqa: F401 - marks this file, too
from tests.small_detector import write_detector


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    from playwright.sync_api import sync_playwright

    model = dsg.load(write_detector(tmp_path_factory.mktemp("browser") / "small.npz"))
    service, examples = DetectionService(model, LIMITS), find_examples(model, DEMO)
    page = opened(import_gradio(), service, examples, HERE, free_port(HERE, 0))
    with page as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=OPTIONS)
        visit = Visit(browser.new_page(viewport={"width": 1280, "height": 950}))
        visit.tab.set_default_timeout(30_000)
        visit.tab.goto(url)
        visit.tab.wait_for_selector("#detect")
        yield visit
        browser.close()


def test_an_example_is_detected(visit: Visit) -> None:
    tab = visit.tab
    tab.locator("#examples button").first.click()
    tab.wait_for_selector("#answer svg image", state="attached")
    tab.click("#detect")
    tab.wait_for_selector("#answer .boxes rect", state="attached")
    visit.seen("detections")
    boxes, masks = tab.locator("#answer .boxes rect"), tab.locator("#answer .masks path")
    before = boxes.count()
    assert before and masks.first.is_visible() and tab.locator("#listed tr").count() == before + 1
    tab.locator("label[for=dsg-show-masks]").click()
    assert not masks.first.is_visible() and boxes.first.is_visible()

    tab.locator("#threshold input[type=number]").fill("0.9")
    tab.locator("#threshold input[type=number]").press("Enter")
    tab.wait_for_function(f"document.querySelectorAll('#answer .boxes rect').length < {before}")
    visit.seen("certain_detections")


def test_nothing_was_fetched_from_elsewhere(visit: Visit) -> None:
    assert visit.hosts <= {HERE, "data"}
    assert not visit.errors
