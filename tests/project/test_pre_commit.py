""".pre-commit-config.yaml: its hooks run what `make` runs, in the versions of requirements-dev.txt."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.shared import ROOT


def repositories() -> list[dict[str, Any]]:
    return yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]


def hooks() -> list[dict[str, Any]]:
    return [hook for repository in repositories() for hook in repository["hooks"]]


def test_hooks_are_told_apart() -> None:
    names = [hook["id"] for hook in hooks()]
    assert {"lint", "types"} <= set(names) and len(names) == len(set(names))


def test_versions_are_those_of_the_requirements() -> None:
    """A hook of the clone takes what is installed there; one from elsewhere has one that fits."""
    requirement = pytest.importorskip("packaging.requirements").Requirement
    lines = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    known = {
        one.name: one.specifier for one in map(requirement, filter(None, (_bare(line) for line in lines)))
    }
    assert "ruff" in known and "mypy" in known
    for repository in repositories():
        if repository["repo"] == "local":
            assert "rev" not in repository
            continue
        tool = repository["repo"].rsplit("/", 1)[-1].removesuffix("-pre-commit").removeprefix("mirrors-")
        assert repository["rev"].removeprefix("v") in known[tool], repository["repo"]


def _bare(line: str) -> str:
    return line.split("#")[0].strip()


def test_local_hooks_are_targets_of_make() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    local = [hook for one in repositories() if one["repo"] == "local" for hook in one["hooks"]]
    for hook in local:
        assert hook["language"] == "system" and hook["pass_filenames"] is False
        target = re.fullmatch(r"make -s ([\w-]+)(?: .*)?", hook["entry"])
        assert target and re.search(rf"^{target[1]}:", makefile, re.MULTILINE), hook["entry"]
        for path in re.findall(r"tests/\S+\.py", hook["entry"]):
            assert (ROOT / path).is_file(), path


def test_every_hook_has_files_to_watch() -> None:
    tracked = ("README.md", "data/README.md", "docs/serve.md", "lib/dsg/config/schema.py", "pyproject.toml")
    assert all((ROOT / path).is_file() for path in tracked)
    for hook in hooks():
        if "files" in hook:
            assert any(re.search(hook["files"], path) for path in tracked), hook["id"]
