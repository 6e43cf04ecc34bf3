"""Samples and their maps as the referring-relationships release builds them; batches come alike, kept or
not.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from dsg.errors import UserError
from dsg.models.baselines.samples import SampleIndex, hide, hide_at_random, shrink, target_maps
from dsg.models.baselines.source import Memory, Source
from dsg.pipeline.bad_records import BadRecords, iterate
from tests.models.baselines.small import config
from tests.small_dataset import SIZES, assert_same, make_dataset, make_record, read


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    return make_dataset(folder, [make_record(folder, number, size) for number, size in enumerate(SIZES)])


def source(dataset, *overrides: str) -> Source:
    options = config("ssas", "DATA.WORKERS", "2", *overrides)
    return Source(dataset, options, Memory(options.baseline.cache_gb))


def test_maps_are_unions_of_rasterised_boxes(dataset) -> None:
    """Relationship by relationship: the first of a query makes its sample, later ones add to it."""
    for record in dataset.records:
        samples: dict[tuple[int, ...], np.ndarray] = {}
        for subject, predicate, object_ in record.triples:
            key = (int(record.entities[subject]), int(predicate), int(record.entities[object_]))
            maps = samples.setdefault(key, np.zeros((2, 14, 14), np.float32))
            for map_, entity in zip(maps, (subject, object_)):
                x1, y1, x2, y2 = (float(value) for value in record.boxes[entity])
                top, bottom = max(int(y1 * 14 / record.height), 0), min(int(y2 * 14 / record.height), 13)
                left, right = max(int(x1 * 14 / record.width), 0), min(int(x2 * 14 / record.width), 13)
                map_[top : bottom + 1, left : right + 1] = 1
        assert [tuple(query) for query in record.queries.tolist()] == list(samples)
        found = target_maps(record)
        for row, maps in enumerate(samples.values()):
            for role in (0, 1):
                np.testing.assert_array_equal(found[role][row].reshape(14, 14), maps[role])


def test_shrinking_takes_the_pixel_below_each_centre() -> None:
    image = np.random.default_rng(0).integers(0, 256, (100, 448, 3), np.uint8)
    small = shrink(image)
    assert small.shape == (224, 224, 3) and small.dtype == np.uint8
    np.testing.assert_array_equal(small[0, 0], image[0, 1])  # (0 + 0.5) * 448 / 224 = 1
    np.testing.assert_array_equal(small[223, 100], image[99, 201])
    same = np.random.default_rng(1).integers(0, 256, (224, 224, 3), np.uint8)
    np.testing.assert_array_equal(shrink(same), same)


def test_an_epoch_has_every_sample_once_and_goes_on_anywhere(dataset) -> None:
    made = source(dataset)
    whole = read(made.examples().batches(4, epoch=1))
    samples = SampleIndex.of(dataset)
    seen = np.concatenate([batch["index"] for batch in whole])
    assert len(samples) == sum(len(record.queries) for record in dataset.records)
    assert sorted(seen) == list(range(len(samples)))
    assert_same(read(made.examples().batches(4, epoch=1, start_step=3)), whole[3:])
    other = [batch["index"] for batch in read(made.examples().batches(4, epoch=2))]
    assert (np.concatenate(other) != seen).any()
    batch = whole[0]
    assert batch["image"].shape == (4, 224, 224, 3) and batch["queries"].shape == (4, 1, 3)
    assert batch["subject_maps"].shape == (4, 1, 196) and batch["subject_maps"].sum(-1).min() >= 1
    row, query = samples.image[batch["index"][0]], samples.query[batch["index"][0]]
    np.testing.assert_array_equal(batch["queries"][0, 0], dataset.records[row].queries[query])
    assert batch["name"][0].decode() == dataset.records[row].name


def test_tests_ask_every_image_everything(dataset) -> None:
    batches = read(source(dataset).test_batches(3, BadRecords()))
    assert [list(batch["index"]) for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    for batch in batches:
        for row, index in enumerate(batch["index"]):
            count = len(dataset.records[index].queries)
            assert batch["query_valid"][row].sum() == count
            np.testing.assert_array_equal(batch["queries"][row, :count], dataset.records[index].queries)


def test_memory_changes_nothing(dataset) -> None:
    none, plenty = source(dataset, "BASELINE.CACHE_GB", "0"), source(dataset)
    for _ in range(2):  # the second time images come from memory
        assert_same(read(none.examples().batches(4, 0)), read(plenty.examples().batches(4, 0)))
    assert not none._images and len(plenty._images) == len(dataset)


def test_kept_features_are_those_of_the_image(dataset) -> None:
    def see(images):  # [B, 224, 224, 3] -> [B, 14, 14, 3]
        import tensorflow as tf

        return tf.cast(images[:, ::16, ::16], tf.float32)

    kept, without = source(dataset), source(dataset, "BASELINE.CACHE_GB", "0")
    kept.keep_features(see, 3)
    without.keep_features(see, 3)
    assert "features" in kept.spec() and "features" not in without.spec()
    size = len(dataset) * 14 * 14 * 3 * 4
    exactly = source(dataset, "BASELINE.CACHE_GB", str((2 * size + 0.5) / 1e9))  # pictures take none of it
    exactly.keep_features(see, 3)
    assert exactly._memory.take(size) and not exactly._memory.take(1)
    for batch, other in zip(read(kept.examples().batches(4, 0)), read(without.examples().batches(4, 0))):
        np.testing.assert_array_equal(batch["features"], other["image"][:, ::16, ::16])
        np.testing.assert_array_equal(batch["index"], other["index"])


@pytest.mark.parametrize("keep", [False, True])
def test_an_unreadable_image_is_named_and_left_out(tmp_path, keep) -> None:
    records = [make_record(tmp_path, number, SIZES[number]) for number in range(4)]
    records[2].path.write_bytes(b"no image")
    made = source(make_dataset(tmp_path, records))
    if keep:
        made.keep_features(lambda images: images[:, ::16, ::16], 3)
    bad = BadRecords()
    rows = made.samples.image[
        np.concatenate([b["index"] for b in read(made.examples().batches(4, 0, 0, bad))])
    ]
    assert set(rows) == {0, 1, 3} and list(bad.reasons) == [records[2].name]
    bad = BadRecords()
    assert [list(batch["index"]) for batch in read(made.test_batches(2, bad))] == [[0, 1], [3]]
    assert len(bad) == 1


def test_features_are_kept_where_the_first_images_are_bad(tmp_path) -> None:
    records = [make_record(tmp_path, number, (32, 40)) for number in range(30)]
    for record in records[:13]:
        record.path.unlink()
    made = source(make_dataset(tmp_path, records))
    made.keep_features(lambda images: images[:, ::16, ::16], 3)
    for batches in (made.test_batches, lambda size, bad: made.examples().batches(size, 0, 0, bad)):
        bad = BadRecords()
        assert list(iterate(batches(4, bad), bad)) and len(bad) == 13


def test_no_readable_image_ends_the_run(tmp_path) -> None:
    record = make_record(tmp_path, 0, SIZES[0])
    record.path.unlink()
    made, bad = source(make_dataset(tmp_path, [record])), BadRecords()
    with pytest.raises(UserError, match="no such image"):
        list(iterate(made.examples().batches(2, 0, 0, bad), bad))


def test_hiding() -> None:
    queries = np.arange(300).reshape(100, 3) % 5
    assert (hide(queries, (0, 2), 9)[:, [0, 2]] == 9).all()
    np.testing.assert_array_equal(hide(queries, (0,), 9)[:, 1:], queries[:, 1:])
    hidden = hide_at_random(queries, 0.3, 9, np.random.default_rng(0))
    assert 15 < (hidden[:, 0] == 9).sum() < 45 and (hidden[:, 1] == queries[:, 1]).all()
    assert ((hidden[:, 0] == 9) & (hidden[:, 2] == 9)).any()


def test_training_hides_with_its_rate_and_tests_what_they_are_told(dataset) -> None:
    half = ("BASELINE.UNKNOWN_RATE", "0.5")
    batches = read(source(dataset, *half).examples().batches(100, 0))
    share = (batches[0]["queries"][:, 0, [0, 2]] == 3).mean()
    assert 0.2 < share < 0.8
    asked = read(source(dataset, *half, "BASELINE.UNKNOWN_TEST", "object").test_batches(7, BadRecords()))[0]
    valid = asked["query_valid"]
    assert (asked["queries"][valid][:, 2] == 3).all() and (asked["queries"][valid][:, 0] < 3).all()


def test_mirrored_records_keep_their_samples(dataset) -> None:
    from dsg.datasets import mirrored

    both = dataclasses.replace(dataset, records=[*dataset.records, *map(mirrored, dataset.records)])
    assert len(SampleIndex.of(both)) == 2 * len(SampleIndex.of(dataset))
