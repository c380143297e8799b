"""What is told below a table."""

from __future__ import annotations

from typing import Any

from made_trials import rows, trial

from negbench.config.grid import Settings
from negbench.runners.legend import better_untouched, legend, notes, once


def settings(*methods: str, negatives: int = 3) -> Settings:
    return Settings.model_validate(
        {"name": "g", "collection": "helpdesk", "encoder": "e", "methods": list(methods), "negatives": negatives}
    )


def test_more_documents_are_told_from_more_pairs() -> None:
    found = rows(trial("in-batch", 0, 0.5))
    wide, equal = "in-batch-wide trains on 4 times the labelled pairs; ", "as many documents but equal pairs"
    assert f"{wide}random is the control with {equal}" in legend(found, settings("in-batch-wide", "random"))
    assert f"{wide}add random as the control with {equal}" in legend(found, settings("in-batch-wide"))
    assert not any("labelled pairs" in line for line in legend(found, settings("in-batch", "random")))


def test_the_recall_of_an_index_is_told() -> None:
    index, exact = trial("rank-band", 0, 0.5), trial("rank-band-exact", 0, 0.5)
    index["draw"], exact["draw"] = {"filled": 0.0, "index_recall": 0.9876}, {"filled": 0.0}
    (line,) = [line for line in legend(rows(index, exact), settings("in-batch")) if "recall" in line]
    assert line.endswith("index finds): rank-band 98.76 %")
    assert not any("recall" in line for line in legend(rows(exact), settings("in-batch")))


def test_the_rows_that_are_left_out_are_counted() -> None:
    dropping, filling = trial("percent(fill=drop)", 0, 0.5), trial("percent", 0, 0.5)
    dropping["draw"], filling["draw"] = {"filled": 0.0, "rows": 2000.0, "rows_left_out": 1250.0}, {"filled": 0.5}
    (line,) = [line for line in legend(rows(dropping, filling), settings("percent")) if "left out" in line]
    assert line.endswith("(fill=drop), all epochs: percent(fill=drop) 1,250 of 2,000 (62.5 %)")
    assert not any("left out" in line for line in legend(rows(filling), settings("percent")))


def test_what_is_estimated_beside_the_column_is_told_by_method() -> None:
    """What its column rests on, and what has none with its values."""

    def drawn(method: str, seed: int, share: float) -> dict[str, Any]:
        told = {"low": 0.0, "high": 1.0, "unit": "negative"}
        both = {
            "exact-proxy": {"rate": 0.5, "note": "a proxy", **told},
            "equal-texts": {"rate": share, "note": "a bound", **told},
            "judge/index": {"rate": share, "note": "no rate", **told},
        }
        return {**trial(method, seed, 0.5), "false_negatives": both}

    made = [drawn("bm25", 0, 0.01), drawn("bm25", 1, 0.02), drawn("naive", 0, 0.25)]
    told = notes({"trials": made}, rows(*made), settings("bm25", "naive"))
    assert "exact-proxy: a proxy." in told
    assert "equal-texts: a bound." in told
    assert "judge/index: no rate. In %: bm25 1.50; naive 25.00." in told  # the one that has no column


def test_what_would_give_a_rate_is_told_where_nothing_does() -> None:
    (drawn,) = rows({**trial("bm25", 0, 0.5), "draw": {"filled": 0.0}})
    grid = settings("bm25")

    def told(**changes: Any) -> str:
        (line,) = [it for it in legend([drawn], grid.model_copy(update=changes)) if it.startswith("false negatives")]
        return line

    label = "label a sample with negbench audit GRID.yaml"
    assert told().endswith(f"labels; add fuller judgments (truth) or held_out, or {label}")
    assert told(held_out=0.3).endswith(f"labels; add fuller judgments (truth), or {label}")
    unaided = tuple(it for it in grid.estimators if not it.needs)
    assert told(estimators=unaided).endswith(f"labels; {label}")


def test_contrastive_information_is_told_where_it_has_a_column() -> None:
    with_it = rows(trial("bm25", 0, 0.5, metrics={"nDCG@10": 0.5, "negatives/eci": 0.1}))
    without = rows(trial("in-batch", 0, 0.5))
    for found, count in ((with_it, 1), (without, 0)):
        told = notes({"trials": [trial("bm25", 0, 0.5)]}, found, settings("bm25"))
        assert sum(line.startswith("`ECI`: ") for line in told) == count


def test_mostly_random_negatives_are_told_with_their_share() -> None:
    few, many = trial("bm25", 0, 0.5), trial("denoised", 0, 0.5)
    few["draw"], many["draw"] = {"filled": 0.33}, {"filled": 0.432}
    (line,) = [line for line in legend(rows(few, many), settings("bm25")) if line.startswith("!")]
    assert "random fill (denoised 43.2 %)" in line
    assert not any(line.startswith("!") for line in legend(rows(few), settings("bm25")))


def test_a_row_s_name_is_told_with_its_method() -> None:
    made = Settings.model_validate(
        {**settings("in-batch").model_dump(include={"name"}), "collection": "helpdesk", "encoder": "e",
         "methods": [{"bm25": {"depth": 20}, "name": "lexical"}, "random"]}
    )  # fmt: skip
    assert "lexical is bm25(depth=20)" in legend(rows(trial("lexical", 0, 0.5)), made)


def test_a_published_model_that_beats_all_methods_is_told() -> None:
    trained = [trial("in-batch", 0, 0.5), trial("bm25", 0, 0.6)]
    for quality, told in ((0.65, True), (0.6, False), (0.4, False)):
        found = rows(*trained, trial("untouched", None, quality, form="reference"))
        lines = better_untouched(found, "nDCG@10")
        assert bool(lines) == told
        assert any(line.startswith("untouched: the encoder as published") for line in legend(found, settings("bm25")))
    (line,) = better_untouched(rows(*trained, trial("untouched", None, 0.65, form="reference")), "nDCG@10")
    assert "untouched: 0.6500 nDCG@10, more than any trained method (bm25 0.6000)" in line


def test_what_is_said_of_a_collection_is_not_repeated_of_its_hidden_copies() -> None:
    own = ["hidden(faq): 3 labels are hidden", "hidden(other): no dev"]
    assert once(["faq: no dev", "faq: no dev", "hidden(faq): no dev", *own]) == ["faq: no dev", *own]
