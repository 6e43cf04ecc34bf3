"""Scene graphs with masks: on their image, one relation alone, before and after refinement."""

from __future__ import annotations

import numpy as np
import pytest

from dsg.visualize.canvas import OBJECT_COLOUR, SUBJECT_COLOUR
from dsg.visualize.detections import OPACITY, name_colours
from dsg.visualize.grounded import STRONGEST, draw_grounded, draw_refinement, draw_relation
from dsg.visualize.scene_graph import Edge, Node, SceneGraph

GROUND = 90
BOXES = np.array([[60.0, 80, 200, 240], [300, 220, 420, 400]], np.float32)
NAMES = ("man", "horse")
COLOURS = dict(zip(NAMES, name_colours(NAMES)))


@pytest.fixture
def image() -> np.ndarray:
    return np.full((440, 600, 3), GROUND, np.uint8)


def mixed(colour: tuple[int, int, int], share: float) -> np.ndarray:
    return np.rint((1 - share) * GROUND + share * np.array(colour)).astype(int)


def graph(*edges: Edge) -> SceneGraph:
    nodes = [Node(i, NAMES[i], 0.9, 0.9, tuple(BOXES[i].tolist())) for i in range(2)]
    return SceneGraph(tuple(nodes), edges)


def halves() -> np.ndarray:
    """Masks of the left half of the first box, and of the lower half of the second."""
    masks = np.zeros((2, 28, 28), np.float32)
    masks[0, :, :14], masks[1, 14:] = 1, 1
    return masks


def test_masks_have_their_category_s_colour_on_the_image_and_in_the_diagram(image: np.ndarray) -> None:
    page = draw_grounded(image, graph(Edge(0, "riding", 1, 0.5)), halves())
    assert (image == GROUND).all()  # it is left alone
    for name, inside, outside in (
        ("man", (160, 100), (160, 170)),
        ("horse", (350, 360), (270, 360)),
    ):
        assert (page[inside] == mixed(COLOURS[name], OPACITY)).all()
        assert (page[outside] == GROUND).all()
        beside = page[:440, 612:]
        assert (beside == COLOURS[name]).all(axis=2).sum() > 500  # the node
    below = page[440:]
    assert all((below == COLOURS[name]).all(axis=2).any() for name in NAMES)


def test_without_masks_or_relations(image: np.ndarray) -> None:
    page = draw_grounded(image, graph(), None)
    assert page.shape[0] >= 440 and (page[160, 100] == GROUND).all()
    assert draw_grounded(image, SceneGraph((), ()), None).shape[0] >= 440


def test_the_list_of_relations_grows_in_columns(image: np.ndarray) -> None:
    one, several = (
        draw_grounded(image, graph(*[Edge(0, "riding", 1, 0.5)] * count), None).shape for count in (1, 7)
    )
    assert one[1] == several[1] and 0 < several[0] - one[0] < 6 * 24


def test_regions_are_the_more_opaque_the_stronger(image: np.ndarray) -> None:
    regions = np.stack([np.full((28, 28), 1.0), np.full((28, 28), 0.4)]).astype(np.float32)
    panel = draw_relation(image, ("man", "riding", "horse"), BOXES, regions=regions, note="0.50")
    picture = panel[-440:]
    assert (np.abs(picture[160, 130] - mixed(SUBJECT_COLOUR, STRONGEST)) <= 1).all()
    assert (np.abs(picture[310, 360] - mixed(OBJECT_COLOUR, 0.4 * STRONGEST)) <= 1).all()
    assert (picture[420:, :250] == GROUND).all()
    caption = panel[:-440]
    assert (caption == SUBJECT_COLOUR).all(axis=2).any() and (caption == OBJECT_COLOUR).all(axis=2).any()


def test_masks_of_a_relation_have_the_colours_of_its_roles(image: np.ndarray) -> None:
    picture = draw_relation(image, ("man", "riding", "horse"), BOXES, masks=halves())[-440:]
    assert (picture[160, 100] == mixed(SUBJECT_COLOUR, OPACITY)).all()
    assert (picture[160, 170] == GROUND).all()


def test_before_and_after_refinement(image: np.ndarray) -> None:
    page = draw_refinement(image, BOXES, NAMES, halves(), 1 - halves())
    places = np.argwhere((page == GROUND).all(axis=2))
    top, left = places.min(axis=0)
    colour = mixed(COLOURS["man"], OPACITY)
    before, after = (page[top + 160, left + shift : left + shift + 600] for shift in (0, 616))
    assert (before[100] == colour).all() and (before[170] == GROUND).all()
    assert (after[100] == GROUND).all() and (after[170] == colour).all()
