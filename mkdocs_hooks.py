"""What MkDocs cannot do by itself: pages that lie outside docs/, and links that lead out of it.

Every document is written for those who read it in the repository, with links relative to itself. The site
joins some documents from elsewhere as pages of their own; links to these lead to the pages, links to other
files of the repository to `repo_url` where mkdocs.yml has one, and become plain text where not.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
DOCS = "docs"
JOINED = {"data/README.md": "data.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
ALIASES = {"README.md": "index.md"}  # what the README says stands on the site's own pages
LINK = re.compile(r"(?<!!)\[([^\]\n]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"(^```.*?^```\s*?$)", re.MULTILINE | re.DOTALL)


def on_files(files: Any, config: Any) -> Any:
    """Add the joined documents."""
    from mkdocs.structure.files import File

    for source, page in JOINED.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn the links of one page."""
    sources = {joined: source for source, joined in JOINED.items()}
    uri = page.file.src_uri
    return site_links(markdown, sources.get(uri, f"{DOCS}/{uri}"), config.repo_url or "")


def site_links(markdown: str, source: str, repository: str = "") -> str:
    """A document's text with the links that its page of the site has; code stays as it is.

    Args:
        markdown: the text.
        source: where the document lies in the repository, such as `data/README.md`.
        repository: the repository's address; empty: links to its files become their text.
    """

    def turned(match: re.Match[str]) -> str:
        text, target, anchor = match.group(1), match.group(2), match.group(3) or ""
        if re.match(r"[a-z]+:", target):
            return match.group(0)
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        page = {**JOINED, **ALIASES}.get(path)
        if page is None and path.startswith(f"{DOCS}/"):
            page = path[len(DOCS) + 1 :]
        if page is not None:
            here = _page_of(source)
            return f"[{text}]({posixpath.relpath(page, posixpath.dirname(here) or '.')}{anchor})"
        return f"[{text}]({repository.rstrip('/')}/blob/HEAD/{path}{anchor})" if repository else text

    parts = FENCE.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(turned, part) for part in parts)


def _page_of(source: str) -> str:
    return JOINED.get(source, source[len(DOCS) + 1 :] if source.startswith(f"{DOCS}/") else source)
