"""What there is to fetch, from where, and how it is recognised: `mirrors.yml` as typed records, and the files
that torchvision publishes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dsg.checkpoints.published import BY_NAME, PublishedFile

MIRRORS = Path(__file__).with_name("mirrors.yml")
PUBLISHER = "https://pytorch.org/vision/stable/models.html"


@dataclass(frozen=True)
class Part:
    """One file that is fetched; `mirrors.yml` says what the fields mean. `sha256` may be its beginning."""

    file: str
    urls: tuple[str, ...]
    into: str
    page: str = ""
    bytes: int | None = None
    about_mb: int | None = None
    sha256: str | None = None
    md5: str | None = None
    checked: str = ""
    anchor: str = ""
    only: tuple[str, ...] = ()
    expands: float = 1.0
    there: dict[str, int] = field(default_factory=dict)
    instead: tuple[str, ...] = ()

    @property
    def is_archive(self) -> bool:
        """Whether it is unpacked."""
        return self.file.endswith((".zip", ".tar.gz", ".tgz", ".tar"))

    @property
    def digest(self) -> tuple[str, str] | None:
        """The checksum's algorithm and value, if one is known."""
        if self.sha256:
            return "sha256", self.sha256
        return ("md5", self.md5) if self.md5 else None

    @property
    def size_guess(self) -> int:
        """Bytes, exact or rough; 0 if nothing is known."""
        return self.bytes or (self.about_mb or 0) * 1_000_000


Catalogue = dict[str, dict[str, Part]]  # name -> part -> what


def read_catalogue(path: Path = MIRRORS) -> Catalogue:
    """The catalogue of a YAML file.

    Raises:
        TypeError: it has a key that `Part` does not know.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {name: {part: _part(fields) for part, fields in parts.items()} for name, parts in content.items()}


@functools.lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """What `mirrors.yml` lists, and `weights`: torchvision's files by `dsg.checkpoints.published.BY_NAME`."""
    return {**read_catalogue(), "weights": {name: _published(file) for name, file in BY_NAME.items()}}


def _published(file: PublishedFile) -> Part:
    return Part(
        file.file,
        (file.url,),
        "weights",
        page=PUBLISHER,
        about_mb=round(file.mebibytes * 2**20 / 1e6),
        sha256=file.hash_start,
        checked="the file's name begins its SHA-256",
    )


def _part(fields: dict[str, Any]) -> Part:
    lists = ("urls", "only", "instead")
    typed: dict[str, Any] = {key: tuple(value) if key in lists else value for key, value in fields.items()}
    return Part(**typed)
