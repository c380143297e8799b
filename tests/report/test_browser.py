"""The page in a real browser: it sorts, filters, fits a phone, and runs nobody else's scripts."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from made_page import EXAMPLES, HOSTILE, made

from negbench.report import page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")

WRAPPER = """<!doctype html><meta charset="utf-8">
<iframe id="page" style="width: {width}px; height: 800px; border: 0" srcdoc="{page}"></iframe><pre id="out"></pre>
<script>
const page = document.getElementById("page");
page.addEventListener("load", () => {{
  const ask = (document, window) => {{ {script} }};
  document.getElementById("out").textContent = JSON.stringify(ask(page.contentDocument, page.contentWindow));
}});
</script>
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    made(folder)
    page.write(folder, EXAMPLES)
    return (folder / "report.html").read_text(encoding="utf-8")


def ask(report: str, script: str, folder: Path, width: int = 1000) -> Any:
    """Open the page in a frame so many pixels wide (a window cannot be as narrow as a phone) and run ``script``."""
    assert CHROMIUM is not None
    (folder / "wrapper.html").write_text(
        WRAPPER.format(width=width, page=html.escape(report), script=script), encoding="utf-8"
    )
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1300,900", "--virtual-time-budget=5000"]
    done = subprocess.run(
        [CHROMIUM, *options, f"--user-data-dir={folder / 'profile'}", "--dump-dom", f"file://{folder}/wrapper.html"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))


COLUMN = """
const column = at => [...document.querySelectorAll("table.results tbody tr")]
  .filter(row => !row.hidden).map(row => row.cells[at].textContent.trim());
const heads = [...document.querySelectorAll("table.results th")];
"""


def test_a_click_sorts_by_number_and_leaves_blanks_last(report: str, tmp_path: Path) -> None:
    script = """
    const at = heads.findIndex(head => head.textContent.includes("false negatives")), found = [column(at)];
    for (const click of [1, 2, 3]) { heads[at].querySelector("button").click(); found.push(column(at)); }
    return [found, heads[at].textContent.trim()];
    """
    (original, down, up, again), _ = ask(report, COLUMN + script, tmp_path)
    figures = [text for text in original if text]
    assert "" in original
    assert down == [*sorted(figures, key=lambda text: -float(text.split()[0])), *[""] * original.count("")]
    assert up == [*sorted(figures, key=lambda text: float(text.split()[0])), *[""] * original.count("")]
    assert again == original


def test_the_filter_hides_what_does_not_match(report: str, tmp_path: Path) -> None:
    script = """
    const field = document.getElementById("filter");
    const type = text => { field.value = text; field.dispatchEvent(new Event("input")); return column(0); };
    return [column(0), type("SIMANS"), type("nothing"), type("")];
    """
    everything, some, none, back = ask(report, COLUMN + script, tmp_path)
    assert some == [name for name in everything if "simans" in name]
    assert 0 < len(some) < len(everything)
    assert none == []
    assert back == everything


@pytest.mark.parametrize("width", [360, 800, 1200])
def test_it_fits(report: str, tmp_path: Path, width: int) -> None:
    """Nothing but what scrolls by itself is wider than the window, and the letters in figures can be read."""
    script = """
    const wide = document.documentElement.scrollWidth;
    const frames = [...document.querySelectorAll("figure .wide")].map(frame => frame.getBoundingClientRect());
    const letters = [...document.querySelectorAll("figure svg text")].map(text => text.getBoundingClientRect().height);
    return [wide, frames.map(box => [box.left, box.right]), Math.min(...letters.filter(height => height > 0))];
    """
    wide, frames, smallest = ask(report, script, tmp_path, width)
    assert wide <= width
    assert len(frames) == 5
    assert all(0 <= left < right <= width for left, right in frames)
    assert smallest >= 9  # pixels


def test_texts_of_a_collection_are_texts(report: str, tmp_path: Path) -> None:
    script = """
    return [document.scripts.length, document.querySelectorAll("b").length,
      [...document.querySelectorAll(".card p")].map(text => text.textContent)];
    """
    scripts, bold, texts = ask(report, script, tmp_path)
    assert (scripts, bold) == (1, 0)
    assert HOSTILE in texts
