"""Who imports whom: the rules of `import_rules.py` hold in `lib/dsg`, and breaking one is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project.import_rules import ROOMS, broken_rules, circles, modules_of, room_of
from tests.shared import ROOT

LIBRARY = ROOT / "lib" / "dsg"


def make_package(folder: Path, **sources: str) -> Path:
    """A package of modules by name, `engine__train` for `engine/train.py`."""
    for name, source in sources.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        for parent in [path.parent, *path.parent.parents]:
            if parent == folder.parent:
                break
            (parent / "__init__.py").touch()
        path.write_text(source)
    return folder


def test_no_import_breaks_a_rule() -> None:
    problems = broken_rules(LIBRARY)
    assert not problems, "\n".join(["", *problems])


def test_nobody_imports_in_a_circle() -> None:
    problems = circles(LIBRARY)
    assert not problems, "\n".join(["", *problems])


def test_every_room_has_a_row_and_every_row_says_rooms() -> None:
    modules = modules_of(LIBRARY)
    rooms = {room_of(name, modules) for name in modules}
    assert rooms - {room for room in rooms if room.startswith("models.")} <= set(ROOMS)
    names = {name for row in ROOMS.values() for name in row.split()} - {"*"}
    assert {name for name in names if name not in ROOMS} <= set(modules)


@pytest.mark.parametrize(
    ("importer", "source", "rule"),
    [
        ("engine__train", "from dsg.models.registry import task_of", "engine may import errors"),
        ("engine__train", "def f():\n    import dsg.models.dsg.model", "engine may import errors"),
        ("engine__train", "if TYPE_CHECKING:\n    from dsg import models", "engine may import errors"),
        ("engine__train", "from ..models import registry", "engine may import errors"),
        ("engine__train", "NAME = 'dsg.models.registry:task_of'", "engine may import errors"),
        ("metrics__iou", "from dsg.config import Config", "metrics may import errors runtime boxes"),
        ("nets__layers", "from dsg.config import Config", "nets may import errors runtime boxes"),
        ("models__dsg__task", "from dsg.models.baselines.model import Baseline", "models.dsg may import"),
        ("models__dsg__task", "from dsg.models.registry import task_of", "models.dsg may import"),
        ("models__dsg__task", "from dsg.engine.train import train", "models.dsg may import"),
        ("models__detector__task", "from dsg.models.dsg.model import DSG", "models.detector may import"),
        ("models__weights", "from dsg.models.dsg.model import DSG", "models may import errors"),
        ("pipeline__batches", "from dsg.apps import cli", "pipeline may import errors"),
        ("attic__box", "import dsg.errors", "attic has no row"),
        ("datasets__loader", "import tensorflow as tf", "datasets does without tensorflow"),
        ("datasets__loader", "from urllib.request import urlopen", "datasets does without urllib"),
        ("datasets__loader", "def fetch():\n    import pooch", "datasets does without pooch"),
        ("nets__layers", "import http.client", "nets does without http"),
    ],
)
def test_a_forbidden_import_is_named(tmp_path: Path, importer: str, source: str, rule: str) -> None:
    package = make_package(
        tmp_path / "dsg",
        errors="",
        config="",
        apps__cli="",
        engine__task="",
        models__registry="",
        models__dsg__model="",
        models__baselines__model="",
        **{importer: source},
    )
    (problem,) = broken_rules(package)
    file = package.joinpath(*importer.split("__")).with_suffix(".py")
    line = source.count("\n") + 1
    assert problem.startswith(f"{file}:{line}: ") and f": {rule}" in problem
    statement = source.splitlines()[-1].strip().split(" = ")[-1]
    assert statement in problem


def test_what_is_allowed_breaks_no_rule(tmp_path: Path) -> None:
    package = make_package(
        tmp_path / "dsg",
        errors="",
        engine__task="from dsg.errors import UserError",
        engine__train="from dsg.engine.task import Task\nfrom urllib.parse import quote",
        models__detector__model="",
        models__weights="from .. import errors",
        models__dsg__model="from dsg.models.detector.model import Detector",
        models__dsg__task="from dsg.engine.task import Task\nfrom . import model\nfrom .. import weights",
        models__registry="SYSTEMS = {'dsg': 'dsg.models.dsg.task:DsgTask'}",
        apps__cli="import tensorflow, http\nfrom dsg.models.registry import SYSTEMS\nimport dsg.engine.train",
    )
    assert broken_rules(package) == [] and circles(package) == []


def test_a_circle_between_modules_is_named(tmp_path: Path) -> None:
    package = make_package(
        tmp_path / "dsg",
        engine__a="import os\nfrom dsg.engine.b import f",
        engine__b="try:\n    from dsg.engine import c\nexcept ImportError:\n    pass",
        engine__c="from dsg.engine.a import g",
        engine__d="from dsg.engine.a import g",
    )
    (circle,) = circles(package)
    assert circle.splitlines() == [
        "a circle: engine.a -> engine.b -> engine.c -> engine.a",
        f"  {package}/engine/a.py:2: from dsg.engine.b import f",
        f"  {package}/engine/b.py:2: from dsg.engine import c",
        f"  {package}/engine/c.py:1: from dsg.engine.a import g",
    ]


def test_an_import_that_is_made_later_closes_no_circle_of_modules(tmp_path: Path) -> None:
    package = make_package(
        tmp_path / "dsg",
        engine__a="from dsg.engine.b import f",
        engine__b="def f():\n    from dsg.engine.a import g",
    )
    assert circles(package) == []


def test_a_circle_between_rooms_is_named_wherever_the_imports_are(tmp_path: Path) -> None:
    package = make_package(
        tmp_path / "dsg",
        boxes__a="from dsg.metrics.b import f",
        metrics__b="def f():\n    from dsg.boxes.c import g",
        boxes__c="",
    )
    (circle,) = circles(package)
    assert circle.splitlines()[0] == "a circle: boxes -> metrics -> boxes"
    assert "metrics/b.py:2: from dsg.boxes.c import g" in circle
