"""The section on annotations: made-up files that are the same every time, and the cases it reports."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.annotations import RELEASES, loading, write_release
from benchmarks.settings import Settings
from dsg.datasets import load_dataset


@pytest.mark.parametrize("name", RELEASES)
def test_a_made_up_release_is_the_same_every_time_and_without_fault(tmp_path: Path, name: str) -> None:
    release = RELEASES[name].of_images(120)
    written = write_release(tmp_path / "one", release)
    assert write_release(tmp_path / "two", release) == written
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    dataset = load_dataset(tmp_path / "one", "trainval")
    assert set(dataset.skipped) <= {"image without relationships", "image without a query"}
    content = json.loads((tmp_path / "one" / "annotations_train.json").read_text())
    assert len(content) == 120 and sum(map(len, content.values())) == written
    assert 0.7 < written / (120 * release.relationships) < 1.3


def test_visual_genome_is_as_varied_as_the_real_one(tmp_path: Path) -> None:
    write_release(tmp_path, RELEASES["visual_genome"].of_images(200))
    records = load_dataset(tmp_path, "trainval").records
    triples = [record.triples for record in records]
    assert any((one[:, 0] == one[:, 2]).any() for one in triples)
    assert any((np.unique(one[:, [0, 2]], axis=0, return_counts=True)[1] > 1).any() for one in triples)
    assert any(len(record.boxes) < len(record.triples) for record in records)


def test_cases() -> None:
    cases = loading(Settings(annotation_share=0.0005))["cases"]
    assert list(cases) == [f"annotations/{name}_{turn}" for name in RELEASES for turn in ("first", "cached")]
    for case in cases.values():
        assert case["seconds"] > 0 and case["processor_seconds"] > 0 and case["peak_mib"] > 10
        assert case["images"] > 0 and case["relationships"] > 0
