"""Readers of settings, of what a run writes, and of queries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from dsg.apps.report.contents import read_run
from dsg.apps.report.text import as_text
from dsg.config import Config, flatten, load_config
from dsg.config.load import dump_yaml
from dsg.errors import UserError
from dsg.models.dsg.query_words import parse_query
from dsg.visualize.curves import collect_series
from fuzz.mutations import (
    EDGES,
    FLOATS,
    TEXTS,
    Files,
    changed_bytes,
    changed_json,
    changed_value,
    one_changed,
)
from fuzz.reader import Reader, require

BASE = b"TRAIN:\n  LEARNING_RATE: 0.001\n  STEPS_PER_EPOCH: 10\nBACKBONE: mini\nANCHOR_SCALES: [2, 4, 8]\n"
TREE = {
    "BASE": "base.yml",
    "TRAIN": {"LEARNING_RATE": 0.01, "BATCH_SIZE": 256},
    "PIXEL_MEANS": [1.0, 2.0, 3.0],
}
NAMES = tuple(flatten(Config()))
BOMBS = (
    "a: &a [1,1,1,1,1,1,1,1,1]\n"
    + "".join(f"{two}: &{two} [{','.join([f'*{one}'] * 9)}]\n" for one, two in zip("abcdefgh", "bcdefghi"))
    + "TRAIN.LEARNING_RATE: *i\n",
    "a: &a {x: 1}\n"
    + "".join(
        f"{two}: &{two} {{<<: [{','.join([f'*{one}'] * 9)}]}}\n" for one, two in zip("abcdefgh", "bcdefghi")
    )
    + "TRAIN: *i\n",
    "TRAIN: &t {LEARNING_RATE: *t}\n",
    "TRAIN: &t\n  TRAIN: *t\n",
    "PIXEL_MEANS: &p [*p, 1, 2]\n",
    "? [1, 2]\n: 3\n",
    "{1: 2, null: 3, [a]: 4}\n",
    "TRAIN: !!python/object/apply:os.system ['true']\n",
    "TRAIN: !!binary x\n",
    "TRAIN.LEARNING_RATE: 2024-13-45\n",
    "TRAIN.LEARNING_RATE: 1:59:59\n",
    "TRAIN.LEARNING_RATE: " + "9" * 5000 + "\n",
    "[" * 1500,
    "- " * 1500,
    "a: " + "{a: " * 400 + "}" * 400,
    "BASE: ../../../../etc/passwd\n",
    "BASE: hostile.yml\n",
    "BASE: " + "a/" * 3000 + "b.yml\n",
    "%YAML 9.9\n---\na: 1\n",
    "a: |\n" + " b\n" * 3000,
    "<<: {TRAIN: 3}\n",
    "!!set {a, b}\n",
    "=: 3\n",
)


def _written(pairs: list[tuple[str, Any]]) -> bytes:
    lines = []
    for name, value in pairs:
        try:
            lines.append(f"{name}: {json.dumps(value)}\n")
        except ValueError:
            lines.append(f"{name}: {value!r}\n")
    return "".join(lines).encode("utf-8", "replace")


def _cases(_: Files) -> st.SearchStrategy[Files]:
    numbers = st.lists(st.one_of(st.integers(-2, 20), st.floats(allow_nan=True)), max_size=4)
    words = st.sampled_from((*TEXTS[:12], "auto", "auto:3", "auto:99"))
    few = st.one_of(st.integers(-3, 40), st.booleans())
    value = st.one_of(st.sampled_from(EDGES), st.sampled_from(FLOATS), words, few, numbers)
    pairs = st.lists(st.tuples(st.sampled_from(NAMES), value), min_size=1, max_size=3).map(_written)
    trees = changed_value(TREE).map(lambda tree: yaml.safe_dump(tree).encode("utf-8", "replace"))
    whole = changed_bytes(dump_yaml(Config()).encode(), 3)
    bombs = st.sampled_from(BOMBS).map(str.encode)
    contents = st.one_of(pairs, pairs, trees, changed_bytes(BASE), whole, bombs)
    return contents.map(lambda content: {"hostile.yml": content})


def _read(folder: Path) -> None:
    config = load_config([folder / "hostile.yml"])
    kept = folder / "again.yml"
    kept.write_text(dump_yaml(config), encoding="utf-8")
    same = flatten(load_config([kept])) == flatten(config)
    require(same, "another configuration when it is written and read again")
    text = (folder / "hostile.yml").read_text(encoding="utf-8")
    for line in text.splitlines():  # the same on the command line
        name, _, word = line.partition(": ")
        try:
            load_config(overrides=[name, word])
        except UserError:
            continue


CONFIGURATION = Reader("configuration", lambda: {"base.yml": BASE, "hostile.yml": BASE}, _cases, _read, 1.5)


def _run_files() -> Files:
    record = {"epoch": 1, "loss": {"total": 1.5, "rpn/cls": 0.5}, "validation": {"iou": 0.25}, "seconds": 3.0}
    session = {"started": "2020-01-01 00:00:00", "command": "train", "dsg": "0.1.0", "gpus": []}
    results = {"images": 3, "queries": 4, "dsg": {"subject": 0.5, "object": 0.25}}
    return {
        "history.jsonl": b"".join(json.dumps({**record, "epoch": n}).encode() + b"\n" for n in (1, 2, 3)),
        "sessions.jsonl": json.dumps(session).encode() + b"\n",
        "config.yml": dump_yaml(Config()).encode(),
        "test/best/results.json": json.dumps(results).encode(),
        "test/best/table.txt": b"all queries\n",
    }


def _run_cases(files: Files) -> st.SearchStrategy[Files]:
    first = files["history.jsonl"].splitlines()[0]
    lines = st.one_of(
        changed_json(first).map(lambda line: line + b"\n"), changed_bytes(files["history.jsonl"])
    )
    sessions = changed_json(files["sessions.jsonl"]).map(lambda line: line + b"\n")
    configs = st.one_of(st.sampled_from(BOMBS).map(str.encode), changed_bytes(BASE))
    results = changed_json(files["test/best/results.json"])
    changes = {"history.jsonl": lines, "sessions.jsonl": sessions, "config.yml": configs}
    return one_changed(files, {**changes, "test/best/results.json": results})


def _read_run(folder: Path) -> None:
    run = read_run(folder)
    collect_series(run.history)
    as_text(run)


RUNS = Reader("a run's own files", _run_files, _run_cases, _read_run, 0.7)

OBJECTS, PREDICATES = ("red cube", "cube", "blue ball", "mat"), ("on", "left of", "left")


def _query_cases(files: Files) -> st.SearchStrategy[Files]:
    words = st.sampled_from(
        ("red", "cube", "blue ball", "on", "left", "of", ",", ",,", "\0", "é", "é" * 300, "a " * 400)
    )
    texts = st.one_of(st.lists(words, max_size=8).map(" ".join), st.text(max_size=30))
    return texts.map(lambda text: {"query.txt": text.encode("utf-8", "surrogatepass") or b" "})


def _read_query(folder: Path) -> None:
    text = (folder / "query.txt").read_bytes().decode("utf-8", "surrogatepass")
    subject, predicate, other = parse_query(text, OBJECTS, PREDICATES)
    require(0 <= subject < 4 and 0 <= other < 4 and 0 <= predicate < 3, "a query")


QUERIES = Reader("queries", lambda: {"query.txt": b"red cube, on, mat"}, _query_cases, _read_query, 0.4)
READERS = (CONFIGURATION, RUNS, QUERIES)
