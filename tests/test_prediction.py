"""The script that correlates measures of negatives with quality, on made results."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scripts

ROOT = Path(__file__).parents[1]
NAN = math.nan
PUBLISHED = sorted((ROOT / "results").glob("*/*/prediction.json"))


@pytest.fixture(scope="module")
def predict() -> ModuleType:
    module = scripts.load("eci/predict.py")
    module.RESAMPLES = 300  # type: ignore[attr-defined]
    return module


def trial(method: str, quality: float | None, **values: Any) -> dict[str, Any]:
    metrics = {"nDCG@10": quality, **{f"negatives/{name}": value for name, value in values.get("metrics", {}).items()}}
    rates = {"exact": {"rate": values["rate"]}} if "rate" in values else {}
    made = {"spelling": method, "seed": values.get("seed", 0), "axes": values.get("axes", {}), "metrics": metrics}
    return {**made, "false_negatives": rates, "form": values.get("form", "fixed"), "status": "done"}


def results(*trials: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {"method": it["spelling"], "axes": it["axes"], "estimator": "exact" if it["false_negatives"] else None}
        for it in trials
    ]
    return {"trials": list(trials), "rows": rows, "settings": {"measure": "nDCG@10"}}


MADE = results(
    trial("start", 0.1, form="reference", metrics={"eci": 9.0}),
    trial("in-batch", 0.9),
    *[
        trial(
            f"m{at}",
            at / 10,
            rate=0.5 - at / 10,
            metrics={"eci": at, "cosine": tied, "effective_documents": documents},
        )
        for at, tied, documents in ((1, 5.0, 7.0), (2, 5.0, None), (3, 6.0, 9.0), (4, 6.0, 8.0))
    ],
    {**trial("m5", None), "metrics": {}, "status": "failed"},
)


def test_a_known_order_ties_and_missing_values(predict: ModuleType) -> None:
    found = {one["predictor"]: one for one in predict.predictions(MADE)}
    same, opposite = found["ECI"], found["false-negative rate"]
    assert (same["methods"], same["seeds"], same["tau"], same["low"], same["high"]) == (4, 1, *[pytest.approx(1)] * 3)
    assert [opposite[key] for key in ("tau", "low", "high")] == [pytest.approx(-1)] * 3
    # four pairs in order, two tied in the predictor alone: 4 / sqrt(4 * 6)
    assert found["mean hardness (cosine)"]["tau"] == pytest.approx(4 / math.sqrt(24))
    # three methods with (7, 9, 8): two pairs in order, one not. Resamples of the last two alone are in reverse
    assert found["effective documents"]["methods"] == 3
    assert [found["effective documents"][key] for key in ("tau", "low", "high")] == pytest.approx([1 / 3, -1, 1])


def test_seeds_are_averaged_and_drawn_again(predict: ModuleType) -> None:
    """Means are 1.5 and 1, in the order of the predictor; with the first seed drawn twice, 0 and 1."""
    predictor, quality = np.array([[2.0, 2.0], [1.0, 1.0]]), np.array([[0.0, 3.0], [1.0, 1.0]])
    assert predict.tau(predictor, quality) == pytest.approx(1)
    assert predict.interval(predictor, quality) == pytest.approx((-1, 1))
    assert predict.interval(predictor, quality[:, 1:].repeat(2, axis=1)) == pytest.approx((1, 1))


def test_a_seed_without_a_value_leaves_the_method_its_others(predict: ModuleType) -> None:
    """The first method has 0.9 in the seed that is left out; the third has nothing."""
    predictor, quality = np.array([[1.0, NAN], [2.0, 2.0], [NAN, NAN]]), np.array([[0.3, 0.9], [0.5, 0.5], [0.1, 0.1]])
    assert predict.tau(predictor, quality) == pytest.approx(1)
    assert predict.tau(np.nan_to_num(predictor[:2]), quality[:2]) == pytest.approx(-1)
    assert predict.tau(quality, predictor) == pytest.approx(1)


@pytest.mark.parametrize("predictor", [[[1.0], [1.0]], [[NAN], [1.0]], [[NAN], [NAN]]])
def test_without_an_order_there_is_no_correlation(predict: ModuleType, predictor: list[list[float]]) -> None:
    made = np.array(predictor)
    assert math.isnan(predict.tau(made, np.array([[0.1], [0.2]])))
    assert all(math.isnan(end) for end in predict.interval(made, np.array([[0.1], [0.2]])))


def test_points_of_the_axes_stay_apart(predict: ModuleType) -> None:
    weak, strong = {"start": "weak"}, {"start": "strong"}
    made = [trial(f"m{at}", at, axes=weak, metrics={"eci": at}) for at in (1, 2)]
    made += [trial(f"m{at}", at, axes=strong, metrics={"eci": -at}) for at in (1, 2)]
    eci = [one for one in predict.predictions(results(*made)) if one["predictor"] == "ECI"]
    assert [(one["axes"], round(one["tau"])) for one in eci] == [(weak, 1), (strong, -1)]


def test_methods_that_differ_in_negatives_alone_share_loss_phases_and_batches(predict: ModuleType) -> None:
    names = ("naive", "simans(b=0.5, form=code)", "margin-hinge", "curriculum", "b3", "adore", "m1")
    made = results(trial("start", 0.1, form="reference"), *[trial(name, 0.5) for name in names])
    kept = predict.differ_in_negatives(made)
    assert [it["spelling"] for it in kept["trials"]] == ["naive", "simans(b=0.5, form=code)"]
    assert kept["rows"] == made["rows"]


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: "/".join(path.parts[-3:-1]))
def test_published_correlations_are_those_of_the_published_results(
    path: Path, predict: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table may be made again; the intervals are not drawn anew here."""
    monkeypatch.setattr(predict, "RESAMPLES", 1)
    data = json.loads((path.parent / "results.json").read_text())
    found = [*predict.predictions(data), *predict.predictions(predict.differ_in_negatives(data))]
    for one, kept in zip(found, json.loads(path.read_text()), strict=True):
        told = ("predictor", "methods", "seeds")
        assert [one[key] for key in told] == [kept[key] for key in told], "run experiments/eci/predict.py"
        assert one["tau"] == pytest.approx(NAN if kept["tau"] is None else kept["tau"], nan_ok=True)


def test_it_writes_what_it_prints(
    predict: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["predict.py", str(tmp_path)])
    one_method = results(*MADE["trials"][:3])
    for made, shown, written in (
        (MADE, ["+1.00 [+1.00, +1.00]  4 methods, 1 seeds", "-1.00 [-1.00, -1.00]", "+0.82", "+0.33"], 1.0),
        (one_method, ["none  1 methods, 1 seeds"] * 4, None),
    ):
        (tmp_path / "results.json").write_text(json.dumps(made))
        predict.main()
        lines = [line for line in capsys.readouterr().out.splitlines() if line.endswith(", all")]
        assert all(text in line for text, line in zip(shown, lines, strict=True)), lines
        eci, *_ = json.loads((tmp_path / "prediction.json").read_text())
        assert (eci["predictor"], eci["tau"]) == ("ECI", written and pytest.approx(written))
