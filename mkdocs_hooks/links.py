"""Links of the documentation that leave ``docs/``: to the repository where it has an address, else plain text."""

from __future__ import annotations

import posixpath
import re
import tomllib
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
FOLDER = "docs"
GENERATED = {"configs/methods.md": "methods/index.md"}
"""Files of the repository that the site has as generated pages, from the root of the site."""

_LINK = re.compile(
    r"^(?P<code>```.*?^```)|(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)", re.DOTALL | re.MULTILINE
)


def repository() -> str | None:
    """Return the repository's URL as pyproject.toml has it, without a slash at its end."""
    urls = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"].get("urls", {})
    found = {name.lower(): url for name, url in urls.items()}
    url = found.get("repository") or found.get("source")
    return None if url is None else url.rstrip("/")


def rewrite(markdown: str, page: str, url: str | None) -> str:
    """Return the text of a page with its links for the site; blocks of code stay as they are.

    ``page`` is the path in docs/, ``url`` the repository's. Links that stay in docs/ are not changed.
    """

    def changed(link: re.Match[str]) -> str:
        if link["code"] or re.match(r"\w+:|#", link["target"]):
            return link[0]
        name, _, anchor = link["target"].partition("#")
        here = posixpath.join(FOLDER, posixpath.dirname(page))
        path = posixpath.normpath(posixpath.join(here, name))
        if path.startswith(f"{FOLDER}/"):
            return link[0]
        if path in GENERATED:
            place = posixpath.relpath(posixpath.join(FOLDER, GENERATED[path]), here)
            return f"[{link['text']}]({place})"
        if url is None:
            return link["text"]
        kind = "raw" if link["image"] else "blob"
        return f"{link['image']}[{link['text']}]({url}/{kind}/HEAD/{path}{'#' + anchor if anchor else ''})"

    return _LINK.sub(changed, markdown)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite the links of a page before MkDocs reads it."""
    return rewrite(markdown, page.file.src_uri, repository())
