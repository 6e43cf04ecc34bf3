"""What the page shows of an answer, and asking from many threads."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

import dsg
from dsg.apps.serve.figure import answer_figure, attention_figure, refusal, timings_table
from dsg.apps.serve.service import Service
from dsg.apps.serve.upload import Limits
from dsg.errors import UserError
from tests.shared import ROOT
from tests.small_trained import write_snapshot

IMAGE = ROOT / "data" / "demo" / "images" / "demo_0.png"
WORDS = ("blue_metal_cylinder", "left", "blue_metal_cylinder")


@pytest.fixture(scope="module")
def service() -> Service:
    return Service(dsg.load(ROOT / "data" / "demo" / "mini.npz"), Limits())


def parsed(page: str) -> ElementTree.Element:
    """HTML that is XML as well, so that a missing bracket or an unescaped word is noticed."""
    page = re.sub(r"(<(?:input|img)\b[^>]*)>", r"\1/>", page).replace(" checked/>", ' checked="1"/>')
    return ElementTree.fromstring(page)


def of_class(tree: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in tree.iter() if name in (element.get("class") or "").split()]


def test_an_answer(service: Service) -> None:
    shown = service.ask(IMAGE, *WORDS)
    expected = service.model.ask(IMAGE, [WORDS])[0]
    assert shown.data["subjects"] == expected.to_json()["subjects"]
    assert (shown.data["width"], shown.data["height"]) == (384, 256)
    tree = parsed(shown.answer)
    svg = next(element for element in tree.iter() if element.tag.endswith("svg"))
    assert svg.get("viewBox") == "0 0 384.0 256"
    (subject,) = of_class(tree, "subject")
    rect = next(element for element in subject.iter() if element.tag.endswith("rect"))
    np.testing.assert_allclose(
        [float(rect.get(key) or "") for key in ("x", "y")], expected.subject.box[:2], atol=0.06
    )
    assert len(of_class(tree, "object")) == len(expected.objects)
    boxes = shown.data["boxes"]
    (layer,) = of_class(tree, "all")
    titles = [element.text or "" for element in layer.iter() if element.tag.endswith("title")]
    assert len(titles) == len(boxes) == 7
    assert sorted(title.split()[0] for title in titles) == [str(number + 1) for number in range(7)]
    assert all(re.search(r"; subject \d\.\d\d, object \d\.\d\d$", title) for title in titles)

    rows = of_class(parsed(shown.attention), "pays")
    assert len(rows) == 7 and all(len(of_class(row, "cell")) == 7 for row in rows)
    assert 'src="data:image/png;base64,' in shown.graph and "behind" in shown.graph
    seconds = shown.data["seconds"]
    assert list(seconds) == ["reading", "network", "drawing", "together"]
    assert all(value > 0 for value in seconds.values())  # a row that is always 0 says nothing
    assert seconds["together"] == pytest.approx(sum(list(seconds.values())[:-1]), abs=2e-4)  # as rounded
    assert "network" in shown.timings and " ms" in shown.timings


def test_many_at_once_get_what_each_gets_alone(service: Service) -> None:
    images = [IMAGE.with_name(f"demo_{number}.png") for number in range(4)]
    words = service.model.vocabulary.objects
    asked = [(images[number % 4], words[number], "left", words[-number]) for number in range(20)]

    def plain(arguments: tuple[Path, str, str, str]) -> dict:
        return {key: value for key, value in service.ask(*arguments).data.items() if key != "seconds"}

    alone = [plain(one) for one in asked[:6]]
    with ThreadPoolExecutor(20) as pool:
        together = list(pool.map(plain, asked))
    assert together[:6] == alone and len(together) == 20


def test_the_graph_of_a_large_image_is_drawn_small(service: Service, tmp_path: Path) -> None:
    image = cv2.resize(cv2.imread(str(IMAGE)), (4000, 2667))
    cv2.imwrite(str(tmp_path / "large.jpg"), image)
    shown = service.ask(tmp_path / "large.jpg", *WORDS)
    assert len(shown.graph) < 4e6
    boxes = np.array([node["box"] for node in shown.data["graph"]["nodes"]])
    assert boxes[:, 2].max() > 2000  # in pixels of the image that was sent
    known = np.array(shown.data["boxes"])
    assert all(np.abs(known - box).max(1).min() < 0.1 for box in boxes)


def test_models_without_labels_or_attention(tmp_path: Path) -> None:
    plain = Service(dsg.load(write_snapshot(tmp_path / "a.npz", "VARIANT", "no_dsg")), Limits())
    shown = plain.ask(IMAGE, *WORDS)
    assert "without a scene graph" in shown.graph and "without attention" in shown.attention
    assert shown.data["graph"] is None and of_class(parsed(shown.answer), "subject")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, *WORDS), "Choose an image first"),
        ((IMAGE, "", *WORDS[1:]), "Choose the subject first"),
        ((IMAGE, WORDS[0], None, WORDS[2]), "Choose the relation first"),
        ((IMAGE, "cat", *WORDS[1:]), "unknown category 'cat'"),
        ((IMAGE, ["cat"], *WORDS[1:]), "Choose the subject first"),
        ((Path(__file__), *WORDS), "is not an image"),
    ],
)
def test_refusals(service: Service, arguments: tuple, message: str) -> None:
    with pytest.raises(UserError, match=message):
        service.ask(*arguments)


def test_words_cannot_write_html() -> None:
    image, boxes = np.zeros((40, 60, 3), np.uint8), np.array([[1.0, 2, 30, 20], [5, 5, 9, 9]])
    evil = '<script>alert("1")</script>'
    for page in (
        answer_figure(image, [], [], boxes, [evil, "b"]),
        attention_figure(image, boxes, np.full((2, 2), 0.5), [evil, "b"]),
        refusal(evil),
        timings_table({evil: 0.1}),
    ):
        parsed(page)
        assert "<script" not in page and "&lt;script&gt;" in page


def test_no_boxes_at_all() -> None:
    image, none = np.zeros((40, 60, 3), np.uint8), np.zeros((0, 4))
    parsed(answer_figure(image, [], [], none, []))
    parsed(attention_figure(image, none, np.zeros((0, 0)), []))
