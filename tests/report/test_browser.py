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


@pytest.mark.parametrize(("width", "shown"), [(360, "narrow"), (400, "narrow"), (700, "broad"), (1200, "broad")])
def test_the_main_figure_fits_without_scrolling_in_one_form_whose_points_can_be_reached(
    report: str, tmp_path: Path, width: int, shown: str
) -> None:
    script = """
    const figure = document.getElementById("figure-quality"), frame = figure.querySelector(".wide");
    const seen = [...figure.querySelectorAll("svg")].filter(svg => svg.getBoundingClientRect().width > 0);
    const reached = seen.flatMap(svg => [...svg.querySelectorAll(".point[tabindex='0']")]);
    const boxes = seen.map(svg => svg.getBoundingClientRect());
    const size = mark => Math.max(mark.getBoundingClientRect().width, mark.getBoundingClientRect().height);
    const marks = [...seen[0].querySelectorAll("use")].filter(mark => size(mark) > 0);
    return [frame.scrollWidth - frame.clientWidth, seen.map(svg => svg.parentElement.className), reached.length,
      boxes.map(box => box.width), marks.length, seen[0].querySelectorAll("use").length];
    """
    scrolled, forms, reached, (drawn,), visible, marks = ask(report, script, tmp_path, width)
    assert scrolled <= 0
    assert forms == [shown]
    assert reached == 1
    assert drawn <= width
    assert visible == marks > 0  # what a mark is made of lies in the same form


@pytest.mark.parametrize("width", [390, 1200])
def test_the_table_is_whole_without_scrolling_and_a_switch_shows_the_rest(
    report: str, tmp_path: Path, width: int
) -> None:
    script = """
    const frame = document.querySelector(".wide:has(table.results)");
    const seen = () => heads.filter(head => head.offsetParent !== null).map(head => head.textContent.trim());
    const found = [frame.scrollWidth - frame.clientWidth, seen()];
    const all = document.getElementById("all");
    all.focus();
    found.push(document.activeElement === all);
    all.click();
    return [...found, seen(), heads.length];
    """
    beyond, few, reached, everything, count = ask(report, COLUMN + script, tmp_path, width)
    assert beyond <= 0
    assert [re.sub(r"[^\w@% -].*", "", name).strip() for name in few] == [
        *("method", "nDCG@10", "vs in-batch", "false negatives %")
    ]
    assert reached
    assert len(everything) == count > len(few)


def test_the_figure_stands_beside_the_table(report: str, tmp_path: Path) -> None:
    script = """
    const box = name => document.querySelector(name).getBoundingClientRect();
    const table = box("table.results"), figure = box("#figure-quality");
    return [table.right <= figure.left, Math.abs(table.top - figure.top)];
    """
    beside, apart = ask(report, script, tmp_path, 1200)
    assert beside
    assert apart < 20
    assert not ask(report, script, tmp_path, 390)[0]


def test_texts_stand_out_from_their_ground_in_light_and_dark(report: str) -> None:
    """WCAG 2: a contrast of 4.5 at least, by the colours of the style sheet."""
    light, dark = re.findall(r":root \{([^}]*--page[^}]*)\}", report)[:2]
    for scheme in (light, dark):
        colours = dict(re.findall(r"--(\w+): (#\w+)", scheme))
        for ground in ("page", "tint"):
            for name in ("ink", "soft", "link"):
                assert _contrast(colours[name], colours[ground]) >= 4.5, (name, ground)


def _contrast(one: str, other: str) -> float:
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_texts_of_a_collection_are_texts(report: str, tmp_path: Path) -> None:
    script = """
    return [document.scripts.length, document.querySelectorAll("b").length,
      [...document.querySelectorAll(".card p")].map(text => text.textContent)];
    """
    scripts, bold, texts = ask(report, script, tmp_path)
    assert (scripts, bold) == (1, 0)
    assert HOSTILE in texts


def test_a_point_shows_its_text_to_pointer_and_keyboard(report: str, tmp_path: Path) -> None:
    script = """
    const tip = document.getElementById("tip"), points = [...document.querySelectorAll("#figure-quality .point")];
    const send = (point, event) => point.dispatchEvent(event), seen = () => tip.hidden ? "" : tip.textContent;
    const label = at => points[at].getAttribute("aria-label"), found = [seen()];
    send(points[1], new window.PointerEvent("pointerenter")); found.push(seen() === label(1));
    send(points[1], new window.PointerEvent("pointerleave")); found.push(seen());
    send(points[0], new window.FocusEvent("focus")); found.push(seen() === label(0));
    const box = tip.getBoundingClientRect();
    found.push(box.left >= 0 && box.right <= window.innerWidth);
    send(points[0], new window.KeyboardEvent("keydown", {key: "Escape"})); found.push(seen());
    send(points[0], new window.KeyboardEvent("keydown", {key: "ArrowRight"}));
    found.push(points.map(point => point.getAttribute("tabindex")).indexOf("0"));
    return [found, points.length, document.querySelectorAll("svg .point title").length, label(0)];
    """
    found, count, titles, first = ask(report, script, tmp_path, 360)
    assert found == ["", True, "", True, True, "", 1]
    assert count > 2
    assert titles == 0  # the browser's own hint would come on top
    assert "nDCG@10" in first
