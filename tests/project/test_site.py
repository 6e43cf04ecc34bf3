"""The site: links that leave docs/ find their page, every document has a place, and MkDocs has no warning."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import mkdocs_hooks
from mkdocs_hooks import JOINED, site_links
from tests.shared import ROOT


@pytest.mark.parametrize(
    ("source", "written", "on_the_site"),
    [
        ("docs/install.md", "[data](../data/README.md#format)", "[data](data.md#format)"),
        ("docs/install.md", "[start](../README.md)", "[start](index.md)"),
        ("docs/install.md", "[other](api.md)", "[other](api.md)"),
        ("docs/install.md", "[below](#cluster)", "[below](#cluster)"),
        ("docs/install.md", "[code](../lib/dsg/api.py)", "code"),
        ("docs/install.md", "![flow](images/data_flow.svg)", "![flow](images/data_flow.svg)"),
        ("docs/install.md", "[away](https://example.org/a.md)", "[away](https://example.org/a.md)"),
        ("docs/install.md", "```\n[x](../lib/a.py)\n```\n", "```\n[x](../lib/a.py)\n```\n"),
        ("data/README.md", "[own](../docs/your-own-data.md)", "[own](your-own-data.md)"),
        ("data/README.md", "[own](../docs/notebooks/a.ipynb)", "[own](notebooks/a.ipynb)"),
        ("CONTRIBUTING.md", "[how](docs/architecture.md), [law](LICENSE)", "[how](architecture.md), law"),
    ],
)
def test_links_on_the_site(source: str, written: str, on_the_site: str) -> None:
    assert site_links(written, source) == on_the_site


def test_links_to_files_lead_to_the_repository_where_its_address_is_known() -> None:
    link = site_links("[code](../lib/dsg/api.py)", "docs/api.md", "https://example.org/dsg/")
    assert link == "[code](https://example.org/dsg/blob/HEAD/lib/dsg/api.py)"


def test_every_document_has_a_place_in_the_navigation() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    places = set(re.findall(r"[\w-]+\.md", str(settings["nav"])))
    assert places == {path.name for path in (ROOT / "docs").glob("*.md")} | set(JOINED.values())
    assert Path(mkdocs_hooks.__file__).name in settings["hooks"]


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_the_joined_documents_lead_somewhere(document: str) -> None:
    for target in re.findall(r"\]\(([^)\s#]+)", (ROOT / document).read_text(encoding="utf-8")):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_version_is_the_same_everywhere() -> None:
    import dsg

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == dsg.__version__
    assert f"## {dsg.__version__} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def site_python() -> str | None:
    """An interpreter that has MkDocs: that of the tests, or the one that `make docs` has set up."""
    if importlib.util.find_spec("material"):
        return sys.executable
    own = ROOT / ".venv-docs" / "bin" / "python"
    return str(own) if own.exists() else None


@pytest.mark.skipif(site_python() is None, reason="mkdocs-material is not installed: make docs sets it up")
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [
        site_python() or sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--site-dir",
        str(tmp_path / "site"),
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "site" / "data.html").read_text(encoding="utf-8")
    assert 'href="your-own-data.html"' in page
    assert not re.search(r'<(?:script|link|img)[^>]*(?:src|href)="https?://(?!squidfunk)', page)
