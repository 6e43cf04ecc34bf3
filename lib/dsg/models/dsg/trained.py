"""Inference: `load_trained` reads a snapshot, `Trained.ask` answers queries about images.

No data set and no ground truth are needed: the snapshot carries its network, its options and its vocabulary.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsg.config import Config, from_values, stored_values
from dsg.datasets.records import Vocabulary
from dsg.models.dsg.predictions import Prediction, Predictor, unbatch
from dsg.models.kinds import check_answers_queries
from dsg.pipeline.images import read_image

TRACING_PAYS = 12  # images


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model and what belongs to it."""

    model: Any  # a `DSG`
    config: Config
    vocabulary: Vocabulary

    def ask(
        self,
        images: Sequence[np.ndarray | str | Path],
        queries: Sequence[Any],
        *,
        traced: bool = True,
    ) -> list[Prediction]:
        """Predictions for images and queries about them, TEST.IMS_PER_BATCH images at a time.

        Args:
            images: files, or uint8 [H, W, 3] in B, G, R order.
            queries: for each image integers [Q, 3]: subject category, predicate, object category; Q may be 0
                and differ from image to image.
            traced: the first call takes a second or more longer, every other call a fraction of the time;
                this pays from about `TRACING_PAYS` images on.

        Returns:
            One `Prediction` per image, in pixels of the original image.

        Raises:
            UserError: an image cannot be read.
            ValueError: there are not as many lists of queries as images.

        Example:
            >>> from dsg.models.dsg.query_words import query_ids
            >>> trained = load_trained("data/demo/mini.npz")
            >>> words = ("blue metal cylinder", "left", "blue metal cylinder")
            >>> query = query_ids(words, trained.vocabulary.objects, trained.vocabulary.predicates)
            >>> found = trained.ask(["data/demo/images/demo_0.png"], [[query]])[0]
            >>> found.subject_boxes(0)[0].round().tolist(), found.object_boxes(0)[0].round().tolist()
            ([104.0, 69.0, 139.0, 111.0], [178.0, 84.0, 215.0, 130.0])
        """
        from dsg.pipeline.batches import inference_batch

        if len(images) != len(queries):
            raise ValueError(f"{len(images)} images, but queries for {len(queries)}")
        found: list[Prediction] = []
        for first in range(0, len(images), self.config.test.ims_per_batch):
            chosen = slice(first, first + self.config.test.ims_per_batch)
            pixels = [
                image if isinstance(image, np.ndarray) else read_image(image) for image in images[chosen]
            ]
            batch = inference_batch(pixels, queries[chosen], self.config)
            if traced:
                predictions = (self._predict_one if len(pixels) == 1 else self._predict_several)(batch)
            else:
                predictions = self.model.predict_roles(batch, attention=True)
            parts = unbatch(batch, predictions, self.config)
            found += [part.scaled(*image.shape[1::-1]) for part, image in zip(parts, pixels)]
        return found

    def _predictor(self, alone: bool) -> Predictor:
        return Predictor(self.model, self.config, alone=alone, truth=False, attention=True)

    @functools.cached_property
    def _predict_one(self) -> Predictor:
        return self._predictor(alone=True)

    @functools.cached_property
    def _predict_several(self) -> Predictor:
        return self._predictor(alone=False)


def load_trained(path: str | Path) -> Trained:
    """The model of a snapshot (`<name>_iter_N.npz`), with its options and vocabulary, folded (`DSG.fold`).

    Raises:
        UserError: the file is missing, damaged, not a snapshot, or that of a detector.
    """
    from dsg.engine.snapshots import load_snapshot, restore
    from dsg.models.dsg.build import build_model
    from dsg.nets.initial import unfilled

    snapshot = load_snapshot(Path(path))
    check_answers_queries(path, snapshot.meta)
    config = from_values(stored_values(snapshot.meta.config))
    vocabulary = Vocabulary(tuple(snapshot.meta.objects), tuple(snapshot.meta.predicates))
    with unfilled():
        model = build_model(config, len(vocabulary.objects), len(vocabulary.predicates))
    restore(snapshot, model)
    model.fold()
    return Trained(model, config, vocabulary)
