"""The sheet: what is drawn, in which order, what a labeller sees, and what comes back."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_answers import by
from made_population import HOSTILE, frame, relevant

from negbench.auditing import answers, draw, sheet
from negbench.auditing.estimate import estimate
from negbench.errors import InputError


def drawn(folder: Path, labels: int = 50, seed: int = 0, methods: int = 1) -> sheet.Sheet:
    made = frame(methods=methods)
    return sheet.write(folder, made, draw.draw(made, labels, None, seed), seed)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def fill(path: Path, said: dict[int, str], delimiter: str = ",", column: str = "answer") -> None:
    rows = read_csv(path)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["item", column, "note"])
        writer.writerows([row["item"], said.get(int(row["item"]), ""), ""] for row in rows)


class TestOrder:
    def test_a_fifth_comes_twice_and_far_apart(self, tmp_path: Path) -> None:
        made = drawn(tmp_path / "a")
        pairs, times = np.unique(made.items, return_counts=True)
        assert len(pairs) == 50
        assert sorted(times.tolist()) == [1] * 40 + [2] * 10
        for pair in pairs[times == 2]:
            first, second = np.flatnonzero(made.items == pair)
            assert second - first >= 0.3 * 50

    def test_it_is_the_seeds_and_the_texts_alone(self, tmp_path: Path) -> None:
        first, again, other = (drawn(tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
        assert np.array_equal(first.items, again.items)
        assert not np.array_equal(first.items, other.items)
        for name in ("sheet.csv", "items.jsonl", "design.json", "pairs.parquet"):
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()

    def test_ranks_are_mixed(self, tmp_path: Path) -> None:
        made, whole = drawn(tmp_path / "a"), frame()
        ranks = whole.ranks[0, made.items]
        assert abs(float(np.corrcoef(np.arange(len(ranks)), ranks)[0, 1])) < 0.3

    def test_a_pair_that_is_known_is_not_asked_about(self, tmp_path: Path) -> None:
        whole = frame(known=2)
        made = sheet.write(tmp_path / "a", whole, draw.draw(whole, 40, None, 0), 0)
        assert whole.labelled.sum() == 120
        assert not whole.labelled[made.items].any()
        assert (made.strata == draw.CERTAIN).sum() == 120
        with pytest.raises(InputError, match="nothing to label"):
            draw.draw(frame(known=10), 40, None, 0)


class TestWidth:
    @pytest.mark.parametrize("known", [0, 3])
    def test_every_method_gets_its_interval(self, tmp_path: Path, known: int) -> None:
        whole = frame(methods=2, known=known)
        truth = relevant(whole)
        asked = sheet.write(tmp_path / "a", whole, draw.draw(whole, None, 0.08, 0), 0)
        said: dict[int, answers.Answer] = {
            item: "yes" if truth[pair] else "no" for item, pair in enumerate(asked.items.tolist(), 1)
        }
        found = estimate(asked, by(said))
        assert found is not None
        for rate in found.rates.values():
            assert 0.05 < (rate.high - rate.low) / 2 < 0.11

    def test_concentrated_weight_is_planned_with(self) -> None:
        """Half of the rows are one query's: an interval twice as wide as the others' part does for them."""
        whole = frame(queries=200)
        uneven = replace(whole, weights=whole.weights * np.where(whole.queries == 7, 199.0, 1.0))
        few, many = (int((draw.draw(one, None, 0.05, 0).probability > 0).sum()) for one in (uneven, whole))
        assert few == draw.labels_needed(uneven, 0, 0.05)
        others = replace(whole, weights=whole.weights * (whole.queries != 7))
        assert few == pytest.approx(10 + draw.labels_needed(others, 0, 0.1), abs=2)
        assert many > 2 * few

    def test_too_few_labels_are_refused(self) -> None:
        with pytest.raises(InputError, match=r"--labels: 2 labels are too few"):
            draw.draw(frame(methods=2), 2, None, 0)


class TestFiles:
    def test_a_labeller_sees_texts_and_nothing_else(self, tmp_path: Path) -> None:
        made, whole = drawn(tmp_path / "a"), frame()
        rows = read_csv(tmp_path / "a/sheet.csv")
        assert list(rows[0]) == ["item", "query", "known positives", "document", "answer", "annotator", "note"]
        items = [json.loads(line) for line in (tmp_path / "a/items.jsonl").read_text().splitlines()]
        assert {key for item in items for key in item} == {"item", "query", "positives", "more", "document"}
        for row, item, pair in zip(rows, items, made.items.tolist(), strict=True):
            query, document = whole.query_texts[whole.queries[pair]], whole.document_texts[whole.documents[pair]]
            assert (item["query"], item["document"]) == (query, document)
            assert row["query"].removeprefix("'") == query
            assert row["document"] == document
            assert row["answer"] == ""

    def test_no_cell_is_a_formula(self, tmp_path: Path) -> None:
        drawn(tmp_path / "a")
        rows = read_csv(tmp_path / "a/sheet.csv")
        assert any("'=query" in row["query"] for row in rows)
        assert not [cell for row in rows for cell in row.values() if cell.lstrip().startswith(("=", "+", "-", "@"))]

    def test_it_comes_back(self, tmp_path: Path) -> None:
        made = drawn(tmp_path / "a", methods=2)
        found = sheet.load(tmp_path / "a")
        assert found.methods == made.methods
        assert found.digests == made.digests
        for name in ("queries", "strata", "probability", "weights", "items"):
            assert np.array_equal(getattr(found, name), getattr(made, name))
        assert found.is_of(frame(methods=2))
        assert not found.is_of(frame(methods=2, queries=59))

    def test_nothing_is_written_over(self, tmp_path: Path) -> None:
        drawn(tmp_path / "a")
        before = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
        with pytest.raises(InputError, match="already exists"):
            drawn(tmp_path / "a", seed=1)
        assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == before
        assert [path.name for path in tmp_path.iterdir()] == ["a"]

    def test_damage_is_said(self, tmp_path: Path) -> None:
        drawn(tmp_path / "a")
        (tmp_path / "a/pairs.parquet").write_bytes(b"PAR1")
        with pytest.raises(InputError, match="damaged"):
            sheet.load(tmp_path / "a")


class TestAnswers:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_words_from_a_spreadsheet(self, tmp_path: Path, delimiter: str) -> None:
        drawn(tmp_path / "a")
        fill(tmp_path / "a/sheet.csv", {1: "Yes", 2: "n", 3: "?", 4: "1", 5: "0 ", 7: "unsure"}, delimiter)
        expected: dict[int, answers.Answer] = {1: "yes", 2: "no", 3: "unsure", 4: "yes", 5: "no", 7: "unsure"}
        assert answers.of_folder(tmp_path / "a", 60) == by(expected)

    def test_grades_have_a_column_of_their_own(self, tmp_path: Path) -> None:
        drawn(tmp_path / "a")
        fill(tmp_path / "a/sheet.csv", {1: "0", 2: "1", 3: "2", 4: "3"}, column="grade")
        assert answers.of_folder(tmp_path / "a", 60) == by({1: "no", 2: "no", 3: "yes", 4: "yes"})
        (tmp_path / "llm.jsonl").write_text('{"item": 1, "grade": 3}\n{"item": 2, "grade": 1.0}')
        assert answers.of_file(tmp_path / "llm.jsonl", 60) == by({1: "yes", 2: "no"})

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("3,maybe,", ":2: answer: expected yes, no or unsure .*'maybe'"),
            ("3,2,", ":2: answer: .*grades belong in a column"),
            ("61,yes,", ":2: item: expected a number from 1 to 60, found '61'"),
            ("x,yes,", ":2: item: expected a number"),
            ("3,yes,\n3,no,", ":3: item 3 has a second answer"),
            ("3,yes", ":2: expected 3 cells"),
        ],
    )
    def test_what_is_off_is_one_line_with_its_place(self, tmp_path: Path, line: str, said: str) -> None:
        (tmp_path / "mine.csv").write_text(f"item,answer,note\n{line}\n")
        with pytest.raises(InputError, match=said) as caught:
            answers.of_file(tmp_path / "mine.csv", 60)
        assert "\n" not in str(caught.value)
        assert str(tmp_path / "mine.csv") in str(caught.value)

    def test_other_columns(self, tmp_path: Path) -> None:
        (tmp_path / "mine.csv").write_text("number,said\n1,yes\n")
        with pytest.raises(InputError, match=r"mine.csv:1: expected columns item and answer"):
            answers.of_file(tmp_path / "mine.csv", 60)

    def test_annotators_have_a_column_or_a_key(self, tmp_path: Path) -> None:
        path = tmp_path / "both.csv"
        path.write_text("item,annotator,answer\n1,ann,yes\n1, bo  b ,no\n2,bo b,u\n1,,no\n3,ann,\n")
        said = {(1, "ann"): "yes", (1, "bo b"): "no", (2, "bo b"): "unsure", (1, ""): "no"}
        assert list(answers.of_file(path, 60).items()) == list(said.items())
        path.write_text("item,annotator,answer\n1,ann,yes\n1,ann,yes\n")
        with pytest.raises(InputError, match=r"both.csv:3: item 1 has a second answer by ann; keep one$"):
            answers.of_file(path, 60)
        path.write_text("item,answer\n1,yes\n1,yes\n")
        with pytest.raises(InputError, match=r"second answer; keep one, or add a column annotator$"):
            answers.of_file(path, 60)
        page = tmp_path / "answers.jsonl"
        lines = [{"item": 1, "answer": "yes", "annotator": name} for name in ("ann", None, 7, "bo")]
        lines += [{"item": 1, "answer": "no"}, {"item": 1, "answer": "no", "annotator": "bo"}]
        page.write_text("".join(json.dumps(line) + "\n" for line in lines))
        assert answers.of_file(page, 60) == {(1, "ann"): "yes", (1, ""): "no", (1, "7"): "yes", (1, "bo"): "no"}

    def test_annotators_may_differ_between_the_page_and_the_sheet(self, tmp_path: Path) -> None:
        drawn(tmp_path / "a")
        fill(tmp_path / "a/sheet.csv", {1: "yes"})
        page = tmp_path / "a/answers.jsonl"
        page.write_text('{"item": 1, "answer": "no", "annotator": "ann"}\n')
        assert list(answers.of_folder(tmp_path / "a", 60).items()) == [((1, ""), "yes"), ((1, "ann"), "no")]

    def test_the_page_and_the_sheet_may_not_differ(self, tmp_path: Path) -> None:
        drawn(tmp_path / "a")
        fill(tmp_path / "a/sheet.csv", {1: "yes", 2: "no"})
        lines = [{"item": 1, "answer": "no"}, {"item": 1, "answer": "yes"}, {"item": 3, "answer": "no"}]
        page = tmp_path / "a/answers.jsonl"
        page.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"item": 4, "ans')  # a torn last line
        assert answers.of_folder(tmp_path / "a", 60) == by({1: "yes", 2: "no", 3: "no"})
        page.write_text('{"item": 2, "answer": "yes"}\n')
        with pytest.raises(InputError, match=r"item 2: .*sheet.csv says no, .*answers.jsonl says yes"):
            answers.of_folder(tmp_path / "a", 60)


def test_the_rule_of_relevance_favours_the_top() -> None:
    made = frame()
    assert 0 < relevant(made).mean() < 0.5
    assert HOSTILE in made.query_texts
