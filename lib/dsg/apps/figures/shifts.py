"""What the baselines ss and ssas do with attention (figures of Krishna et al., CVPR 2018).

Three kinds of page: what each predicate's shift makes of a spot in the middle, attention from iteration to
iteration, and attention that follows a chain of relations from entity to entity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from dsg.datasets import ImageRecord, Vocabulary, ambiguous
from dsg.metrics.raster import MAP_SIZE, boxes_to_mask
from dsg.models.baselines.attention import StatisticalShift
from dsg.models.baselines.pictures import GAP, SIDE, map_panel
from dsg.models.baselines.samples import CELLS, target_maps
from dsg.models.shown import chosen_queries, query_words
from dsg.visualize.canvas import (
    BLACK,
    FONT_SIZE,
    GREEN,
    OBJECT_COLOUR,
    SUBJECT_COLOUR,
    Colour,
    blank,
    draw_text,
    grid,
    shorten,
    stack,
)

SIGMA = 1.0  # cells; of the spot that is shifted
TILE = 112  # pixels of a tile's side, 8 a cell
ROW = 6  # predicates in a row
CAPTION = FONT_SIZE + 6
TINY = 1e-12
ROLES = ("subject", "object")


def spot() -> np.ndarray:
    """A Gaussian in the middle of the map, float32 [14, 14] with 1 at its top between the middle cells."""
    away = np.arange(MAP_SIZE) - (MAP_SIZE - 1) / 2
    one = np.exp(-(away**2) / (2 * SIGMA**2))
    return np.outer(one, one).astype(np.float32)


def shifted_spots(head: Any, predicates: int) -> tuple[np.ndarray, np.ndarray]:
    """What each predicate makes of `spot`: from subject to object, and from object to subject.

    Args:
        head: of ss or ssas, a `ShiftingHead`.
        predicates: R.

    Returns:
        Two arrays float32 [R, 14, 14], in [0, 1).
    """
    maps, kinds = tf.tile(spot()[None], [predicates, 1, 1]), tf.range(predicates)
    return head.forward(maps, kinds).numpy(), head.inverse(maps, kinds).numpy()


def shift_page(head: Any, vocabulary: Vocabulary) -> tuple[np.ndarray, dict[str, Any]]:
    """A tile for the spot, two for each predicate, forward above inverse; the largest cell of each is white.

    Returns:
        uint8 [H, W, 3] RGB, and the largest cells.
    """
    forward, inverse = shifted_spots(head, len(vocabulary.predicates))
    tiles = [_tile("what is shifted", [spot()])]
    largest = {}
    for name, *both in zip(vocabulary.predicates, forward, inverse):
        tiles.append(_tile(name.replace("_", " "), both))
        largest[name] = {"forward": float(both[0].max()), "inverse": float(both[1].max())}
    kind = "statistical" if isinstance(head.forward, StatisticalShift) else "learned"
    page = grid(tiles, min(ROW, len(tiles)), GAP)
    return _titled(f"{kind} shifts: to the object, and back (below)", page), largest


def iteration_page(model: Any, image: np.ndarray, record: ImageRecord, vocabulary: Vocabulary) -> np.ndarray:
    """Attention for some of an image's queries, the true cells outlined: the subject's in the upper row, the
    object's in the lower one, before and after each shift.

    Args:
        model: a `Baseline` of ss or ssas.
        image: uint8 [224, 224, 3], B, G, R.
        record: of the image.
        vocabulary: its words.

    Returns:
        uint8 [H, W, 3] RGB.
    """
    shown = chosen_queries(ambiguous(record), 2)
    batch = {"image": tf.constant(image[None]), "queries": tf.constant(record.queries[shown][None])}
    attention = model(batch, training=False)
    truth = target_maps(record, np.asarray(shown))
    picture = _picture(image)
    pages = []
    for place, query in enumerate(shown):
        words = " ".join(query_words(record.queries[query], vocabulary)).replace("_", " ")
        panels = []
        for role, maps, true, colour in zip(ROLES, attention, truth, (SUBJECT_COLOUR, OBJECT_COLOUR)):
            for step, one in enumerate(maps):
                caption = f"{role} at first" if step == 0 else f"{role} after shift {step}"
                panels.append(
                    _captioned(
                        caption, colour, map_panel(picture, _squashed(one[0, place]), true[place], colour)
                    )
                )
        pages.append(_titled(words, grid(panels, len(attention.subject), GAP)))
    return stack(pages)


@dataclass(frozen=True)
class Chain:
    """Entities (positions in the record) and the predicates between them."""

    entities: tuple[int, ...]
    predicates: tuple[int, ...]


def find_chain(record: ImageRecord) -> Chain | None:
    """The first annotated a - r - b - q - c of three entities, of different categories if there is one."""
    found = None
    for subject, first, middle in record.triples:
        for other, second, last in record.triples:
            if other != middle or len({int(subject), int(middle), int(last)}) < 3:
                continue
            chain = Chain((int(subject), int(middle), int(last)), (int(first), int(second)))
            if len(set(record.entities[list(chain.entities)].tolist())) == 3:
                return chain
            found = found or chain
    return found


def saccade_page(
    model: Any, image: np.ndarray, record: ImageRecord, vocabulary: Vocabulary, chain: Chain
) -> np.ndarray:
    """Attention along a chain, a panel an entity, the entity's own cells outlined; uint8 [H, W, 3] RGB."""
    entities = list(chain.entities)
    features = model.convolutions(model.features(tf.constant(image[None]), False))
    categories = tf.constant(record.entities[entities])
    maps = model.head.follow(features, categories, tf.constant(chain.predicates, tf.int32))
    size = np.array([record.width, record.height] * 2, np.float64)
    truth = boxes_to_mask(record.boxes[entities] / size, MAP_SIZE, "rr").reshape(-1, CELLS)
    picture = _picture(image)
    panels = []
    for place, one in enumerate(maps):
        words = vocabulary.objects[int(record.entities[entities[place]])]
        if place:
            words = f"{vocabulary.predicates[chain.predicates[place - 1]]} {words}"
        panel = map_panel(picture, _squashed(one), truth[place], GREEN)
        panels.append(_captioned(words.replace("_", " "), BLACK, panel))
    return grid(panels, len(panels), GAP)


def _picture(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image[:, :, ::-1], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)


def _squashed(map_: Any) -> np.ndarray:
    """A map in the form of answers, [14, 14] -> [196] in [0, 1)."""
    return np.tanh(np.asarray(map_)).reshape(-1)


def _tile(words: str, maps: Sequence[np.ndarray]) -> np.ndarray:
    """Maps below their name, black where they are 0 and white at their largest cell."""
    parts = []
    for one in maps:
        light = np.rint(255 * one / max(float(one.max()), TINY)).astype(np.uint8)
        large = cv2.resize(light, (TILE, TILE), interpolation=cv2.INTER_NEAREST)
        parts += [np.repeat(large[..., None], 3, axis=2), blank(GAP, TILE)]
    return _captioned(words, BLACK, stack(parts))


def _captioned(words: str, colour: Colour, picture: np.ndarray) -> np.ndarray:
    caption = blank(CAPTION, picture.shape[1])
    draw_text(caption, (0, 0), shorten(words, picture.shape[1]), colour)
    return stack([caption, picture])


def _titled(words: str, page: np.ndarray) -> np.ndarray:
    title = blank(CAPTION + GAP, page.shape[1])
    draw_text(title, (GAP, GAP), shorten(words, page.shape[1] - GAP, bold=True), BLACK, bold=True)
    return stack([title, page])
