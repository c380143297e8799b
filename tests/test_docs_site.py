"""The documentation as a site: navigation, links that leave ``docs/``, generated pages, and the whole build."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest
from ruamel.yaml import YAML

import negbench

ROOT = Path(__file__).parents[1]


def _hook(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"mkdocs_hooks_{name}", ROOT / "mkdocs_hooks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "mkdocs_hooks")  # as MkDocs does it
        spec.loader.exec_module(module)
    return module


LINKS, CATALOGUE = _hook("links"), _hook("catalogue")


def _named(entry: object) -> list[str]:
    """Return the pages that an entry of the navigation names, in order."""
    if isinstance(entry, str):
        return [entry]
    inside = entry.values() if isinstance(entry, dict) else entry
    return [page for it in inside for page in _named(it)]  # type: ignore[attr-defined]


def test_the_navigation_names_every_page_once() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = YAML(typ="safe").load(text[text.index("\nnav:") :])["nav"]
    assert sorted(_named(nav)) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


URL = "https://example.org/negbench"


@pytest.mark.parametrize(
    ("written", "without", "with_url"),
    [
        ("[a](audit.md#labelling)", None, None),
        ("[a](#marks)", None, None),
        ("[a](https://example.com/x.md)", None, None),
        ("[`a` b](../README.md)", "`a` b", f"[`a` b]({URL}/blob/HEAD/README.md)"),
        (
            "[two\nlines](../results/a/README.md#b)",
            "two\nlines",
            f"[two\nlines]({URL}/blob/HEAD/results/a/README.md#b)",
        ),
        ("![a](../results/a.svg)", "a", f"![a]({URL}/raw/HEAD/results/a.svg)"),
        ("[a](../configs/methods.md)", "[a](methods/index.md)", "[a](methods/index.md)"),
        ("[a](../docs/audit.md)", None, None),
        ("```\n[a](../README.md)\n```", None, None),
        ("[a](../A.md) and [b](b.md)", "a and [b](b.md)", f"[a]({URL}/blob/HEAD/A.md) and [b](b.md)"),
    ],
)
def test_links_that_leave_the_folder_are_rewritten(written: str, without: str | None, with_url: str | None) -> None:
    assert LINKS.rewrite(written, "page.md", None) == (without or written)
    assert LINKS.rewrite(written, "page.md", URL) == (with_url or written)


def test_links_are_seen_from_the_folder_of_their_page() -> None:
    assert LINKS.rewrite("[a](../audit.md)", "parts/loss.md", None) == "[a](../audit.md)"
    assert LINKS.rewrite("[a](../../configs/methods.md)", "parts/loss.md", None) == "[a](../methods/index.md)"
    assert LINKS.rewrite("[a](../../README.md)", "parts/loss.md", None) == "a"


def test_no_link_of_a_page_leaves_the_folder_afterwards() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert "](../" not in LINKS.rewrite(page.read_text(encoding="utf-8"), page.name, None), page


def test_every_method_and_part_is_on_a_page_with_its_parameters() -> None:
    pages = CATALOGUE.pages()
    for name in negbench.list_methods().methods:
        assert f"[{name}]({name}.md)" in pages["methods/index.md"]
        assert pages[f"methods/{name}.md"].startswith(f"# {name}\n")
    for part in negbench.list_parts().data:
        section = pages[f"parts/{part['kind']}.md"].partition(f"\n## {part['name']}\n")[2].partition("\n## ")[0]
        assert f"({part['kind']}.md#{part['name']})" in pages["parts/index.md"]
        rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE)
        assert [name for name, _ in rows] == [it["name"] for it in part["parameters"]], part["name"]
        assert all(len(re.findall(r"(?<!\\)\|", rest)) == 3 for _, rest in rows)


def _result_rows() -> list[tuple[Path, dict[str, str]]]:
    """Return each row of a tracked table that is about a method as it mines, with the folder of the table."""
    found = []
    for path in sorted((ROOT / "results").rglob("table.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found += [(path.parent, row) for row in csv.DictReader(file)]
    return [
        (folder, row) for folder, row in found if row["form"] != "reference" and row.get("repair", "null") == "null"
    ]


def _is_of_an_older_run(folder: Path) -> bool:
    """Tell whether the page that is about a folder of results says that its run is an older one."""
    above = [it / "README.md" for it in (folder, *folder.parents) if it.parent.is_relative_to(ROOT / "results")]
    page = next(it for it in (*above, ROOT / "experiments" / folder.name / "README.md") if it.is_file())
    return "**An older run**" in page.read_text(encoding="utf-8")


def test_the_page_of_a_method_has_its_rows_of_all_tables() -> None:
    pages = CATALOGUE.pages()
    told = 0
    for folder, row in _result_rows():
        page = pages.get(f"methods/{row['method'].partition('(')[0]}.md")
        if page is None:  # a name of former times
            continue
        name = folder.relative_to(ROOT / "results").as_posix().removesuffix("/grid")
        wanted = [f"[{name}](", f"| `{row['method']}` | {float(row['nDCG@10']):.4f} ["]
        lines = [line for line in page.splitlines() if all(it in line for it in wanted)]
        assert lines, (name, row["method"])
        assert all(line.endswith(f" | {row['seeds']} |") for line in lines)
        told_of = [re.search(rf"\[{re.escape(name)}\]\([^)]*\)(, older)?", line) for line in lines]
        assert all(it and (it[1] is not None) == _is_of_an_older_run(folder) for it in told_of)
        if row["false_negative_rate"]:
            assert any(f"{100 * float(row['false_negative_rate']):.1f} \\[" in line for line in lines)
            assert all(row["estimator"] in line for line in lines)
        told += 1
    assert told > 300


def test_a_method_without_results_has_no_section_and_one_seed_has_no_mark() -> None:
    pages = CATALOGUE.pages()
    named = {row["method"].partition("(")[0] for _, row in _result_rows()}
    for name in negbench.list_methods().methods:
        page = pages[f"methods/{name}.md"]
        assert ("## What it showed here" in page) == (name in named), name
        of_one_seed = [line for line in page.splitlines() if line.startswith("| [") and line.endswith(" | 1 |")]
        assert not [line for line in of_one_seed if r"\*" in line or r"\] =" in line]
        assert ("One seed decides nothing" in page) == bool(of_one_seed)


def test_verdicts_stand_with_the_methods_that_a_claim_compares() -> None:
    pages = CATALOGUE.pages()
    record = json.loads((ROOT / "results/papers/simans/verdicts.json").read_text(encoding="utf-8"))
    verdicts = {it["says"]: it["verdict"] for it in record["statements"]}
    for method in ("simans", "naive"):
        (line,) = [it for it in pages[f"methods/{method}.md"].splitlines() if "`simans > naive on nDCG@10`" in it]
        assert f": **{verdicts['simans > naive on nDCG@10']}**," in line
    assert "`three > simans on nDCG@10`, where `three` is `simans(" in pages["methods/simans.md"]
    verdicts_of_ance = [it for it in pages["methods/ance.md"].splitlines() if it.startswith("- `") and "/papers/" in it]
    assert verdicts_of_ance
    assert not [it for it in verdicts_of_ance if not re.search(r"\bance\b", it)]
    assert "`simans > naive on nDCG@10`" not in pages["methods/ance.md"]


class _Loaded(HTMLParser):
    """The addresses that a page loads something from."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe"):
            self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="needs negbench[docs]")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    pages = [*(tmp_path / "site").rglob("*.html")]
    assert len(pages) > len(CATALOGUE.pages())
    for page in pages:
        read = _Loaded()
        read.feed(page.read_text(encoding="utf-8"))
        assert not [it for it in read.addresses if re.match(r"(\w+:)?//", it)], page
