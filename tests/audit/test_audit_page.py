"""The page in a real browser: keys answer, texts stay texts, it fits a phone, it says when nothing was kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from made_answers import by
from made_population import HOSTILE, frame

from negbench.auditing import answers, draw, serve, sheet

pytestmark = pytest.mark.skipif(chromium.FOUND is None, reason="no Chromium here")

READY = "document.getElementById('query')?.textContent"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Chromium]:
    with chromium.Chromium(tmp_path_factory.mktemp("profile")) as found:
        found.look(1000, 900)
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = frame(queries=4)
    sheet.write(tmp_path / "audit", made, draw.draw(made, 20, None, 0), 0)
    return tmp_path / "audit"


def shown(browser: chromium.Chromium) -> str:
    return str(browser.value("document.getElementById('count').textContent"))


def test_keys_answer_and_go_back(browser: chromium.Chromium, folder: Path) -> None:
    with serve.serving(folder) as address:
        browser.open(address)
        browser.until(READY)
        assert shown(browser) == "Item 1 of 24, 0 answered"
        for at, key in enumerate("ynu", 2):
            browser.press(key)
            browser.until(f"document.getElementById('count').textContent.startsWith('Item {at} ')")
        assert answers.of_folder(folder, 24) == by({1: "yes", 2: "no", 3: "unsure"})
        browser.press("Backspace")
        browser.press("ArrowLeft")
        assert shown(browser) == "Item 2 of 24, 3 answered"
        assert browser.value("document.getElementById('no').getAttribute('aria-pressed')") == "true"
        browser.press("y")
        browser.until("document.getElementById('count').textContent.startsWith('Item 3 ')")
        assert answers.of_folder(folder, 24) == by({1: "yes", 2: "yes", 3: "unsure"})
        browser.press("ArrowRight")
        browser.value("document.getElementById('yes').click()")
        browser.until("document.getElementById('count').textContent.startsWith('Item 5 ')")
        browser.open(address)  # and again, from the start
        browser.until(f"{READY} && at === 4")
        assert shown(browser) == "Item 5 of 24, 4 answered"


def test_it_says_when_an_answer_was_not_kept(browser: chromium.Chromium, folder: Path) -> None:
    with serve.serving(folder) as address:
        browser.open(address)
        browser.until(READY)
    browser.press("y")
    browser.until("document.getElementById('said').textContent.startsWith('Not saved')")
    assert shown(browser) == "Item 1 of 24, 0 answered"
    assert answers.of_folder(folder, 24) == {}


def test_texts_are_texts(browser: chromium.Chromium, folder: Path) -> None:
    items = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    hostile = next(item["item"] for item in items if item["query"] == HOSTILE)
    with serve.serving(folder) as address:
        browser.open(address)
        browser.until(READY)
        for _ in range(hostile - 1):
            browser.press("ArrowRight")
        assert browser.value("document.getElementById('query').textContent") == HOSTILE
        assert browser.value("[document.scripts.length, document.querySelectorAll('b').length]") == [1, 0]
        assert browser.value("document.title") == "negbench audit"
        # and if some came through, the policy would stop it
        inject = "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title = 1\">')"
        assert browser.value(f"{inject}; document.title") == "negbench audit"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1000])
def test_it_fits_and_can_be_read(browser: chromium.Chromium, folder: Path, width: int, scheme: str) -> None:
    script = """
    (() => {
      const light = text => {
        const [r, g, b] = text.match(/\\d+/g).map(part => {
          const share = part / 255;
          return share <= .04045 ? share / 12.92 : ((share + .055) / 1.055) ** 2.4;
        });
        return .2126 * r + .7152 * g + .0722 * b;
      };
      const paper = light(getComputedStyle(document.body).backgroundColor);
      const contrast = [...document.querySelectorAll("h1, h2, p.text, button, header")].map(element => {
        const ink = light(getComputedStyle(element).color);
        return (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
      });
      const buttons = [...document.querySelectorAll("button")].map(button => button.getBoundingClientRect());
      return {wide: document.documentElement.scrollWidth, contrast: Math.min(...contrast), dark: paper < .1,
        rows: new Set(buttons.map(box => box.top)).size, least: Math.min(...buttons.map(box => box.height)),
        cut: [...document.querySelectorAll("button")].filter(it => it.scrollWidth > it.clientWidth).length};
    })()
    """
    browser.look(width, 700, scheme)
    with serve.serving(folder) as address:
        browser.open(address)
        browser.until(READY)
        found = browser.value(script)
    browser.look(1000, 900)
    assert found["wide"] <= width
    assert found["contrast"] >= 4.5  # WCAG's least for text
    assert found["dark"] == (scheme == "dark")
    assert (found["rows"], found["cut"]) == (1, 0)
    assert found["least"] >= 40  # pixels: a thumb
