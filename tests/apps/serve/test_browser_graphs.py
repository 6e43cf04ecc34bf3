"""The page of a grounded model in a real browser: an example described, relations pointed at, a setting."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import dsg
from dsg.apps.serve.command import find_examples, free_port, opened, service_of
from dsg.apps.serve.page import import_gradio
from tests.apps.serve.running import HERE, LIMITS
from tests.apps.serve.test_browser import CHROMIUM, OPTIONS, Visit, pytestmark  # noqa: F401 - marks this file, too
from tests.small_graph_data import make_graphs, words_of
from tests.small_grounding import write_grounding


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory, untraced_module: None) -> Iterator[Visit]:
    from playwright.sync_api import sync_playwright

    folder = tmp_path_factory.mktemp("browser")
    data = make_graphs(folder)
    options = ("GROUNDING.REFINE", "True", "GROUNDING.SETTING", "sgcls")
    model = dsg.load(write_grounding(folder / "small.npz", *options, words=words_of(data)))
    service, examples = service_of(model, LIMITS, data), find_examples(model, data)
    page = opened(import_gradio(), service, examples, HERE, free_port(HERE, 0))
    with page as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=OPTIONS)
        visit = Visit(browser.new_page(viewport={"width": 1280, "height": 950}))
        visit.tab.set_default_timeout(60_000)
        visit.tab.goto(url)
        visit.tab.wait_for_selector("#describe")
        yield visit
        browser.close()


def test_an_example_is_described(visit: Visit) -> None:
    tab = visit.tab
    tab.locator("#examples button").first.click()
    tab.wait_for_selector("#answer svg image", state="attached")
    tab.locator("#setting label", has_text="boxes and labels").click()
    tab.click("#describe")
    tab.wait_for_selector("#answer .relation", state="attached")
    visit.seen("graph")
    masks, relations = tab.locator("#answer .masks"), tab.locator("#answer .relation")
    regions = relations.first.locator(".region")
    assert masks.is_visible() and regions.count() == 2 and not regions.first.is_visible()
    relations.first.locator(".row").hover()  # the middle of the whole lies on the image
    visit.seen("relation")
    assert regions.first.is_visible() and not masks.is_visible()
    assert not relations.nth(1).locator(".region").first.is_visible()
    assert "true relations" in tab.locator("#answer").inner_text()
    tab.get_by_role("tab", name="Diagram").click()
    tab.wait_for_selector("#diagram img")
    visit.seen("diagram")
    tab.get_by_role("tab", name="Refinement").click()
    tab.wait_for_selector("#refinement img")
    visit.seen("refinement")


def test_nothing_was_fetched_from_elsewhere(visit: Visit) -> None:
    assert visit.hosts <= {HERE, "data"}
    assert not visit.errors
