"""The legend of a grid's tables, and the notes below them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from negbench.config.grid import Settings
from negbench.evaluation.false_negatives import meanings
from negbench.methods import Method
from negbench.plan.trials import UNTOUCHED
from negbench.report import table
from negbench.report.rows import Row
from negbench.report.table import mostly_random
from negbench.runners.estimator_notes import estimator_notes, teachers


def once(sentences: Sequence[str]) -> list[str]:
    """Return each sentence once; one on ``hidden(NAME)`` that is said of NAME, too, is left out."""
    kept = []
    for sentence in dict.fromkeys(sentences):
        inner = _OF_HIDDEN.sub(r"\1: ", sentence)
        if inner == sentence or inner not in sentences:
            kept.append(sentence)
    return kept


_OF_HIDDEN = re.compile(r"^hidden\(([^()]*)\): ")


def better_untouched(found: Sequence[Row], measure: str) -> list[str]:
    """Return a sentence for each point of the axes at which the published model scores above all trained methods."""
    lines = []
    for row in found:
        at_point = [it for it in found if it.axes == row.axes and it.quality is not None]
        trained = [it for it in at_point if it.form != "reference"]
        if row.method != UNTOUCHED or row.quality is None or not trained:
            continue
        best = max(trained, key=lambda it: it.quality or 0.0)
        if best.quality is not None and row.quality > best.quality:
            lines.append(
                f"{row.label}: {row.quality:.4f} {measure}, more than any trained method ({best.method} "
                f"{best.quality:.4f}): as published the model ranks better here"
            )
    return lines


def legend(found: Sequence[Row], settings: Settings) -> list[str]:
    """Return the legend of the table: one line for each symbol and column that needs one."""
    several = any(row.seeds > 1 for row in found)
    over_seeds = " and seeds" if several else "; one seed, so it does not cover the variation between seeds"
    lines = [f"± 95 %: half the width of the 95 % confidence interval over queries{over_seeds}"]
    families = sorted({row.family for row in found if row.family}, reverse=True)
    if families:
        over = f"{' and '.join(map(str, families))} comparisons" + (
            ", one number per table" if len(families) > 1 else ""
        )
        lines.append(f"{table.DIFFERS} different from {settings.baseline} (5 % level, Holm-corrected for {over})")
        lines.append(
            f"{table.SAME} equivalent to {settings.baseline} within {settings.equivalent_within:g} "
            "(two one-sided tests, 5 % level, Holm-corrected)"
        )
    elif any(row.gain is not None and row.form != "reference" for row in found):
        lines.append(f"differences to {settings.baseline} are not tested: a test needs at least two seeds")
    estimators = dict.fromkeys(row.estimator for row in found if row.rate is not None and row.estimator)
    lines += [f"false negatives, {name}: {meanings()[name]}" for name in estimators]
    has_audit = any(row.audited is not None for row in found)
    if has_audit:
        lines.append(
            "false negatives, audit: share of the mined negatives, weighted as in training, by answers to a sample of "
            "them; its interval is for these very negatives"
        )
    if not estimators and not has_audit and any(row.filled is not None for row in found):
        given = {key for key, value in settings if value is not None}
        lacking = [it.needs for it in settings.estimators if it.needs and it.needs not in given]
        ask = "label a sample with negbench audit GRID.yaml"
        ask = f"add {' or '.join(lacking)}, or {ask}" if lacking else ask
        lines.append(f"false negatives: no rate can be estimated from these labels; {ask}")
    found_by_index = [f"{row.label} {100 * row.index_recall:.2f} %" for row in found if row.index_recall is not None]
    if found_by_index:
        share = "share of the candidates of an exact search that the index finds"
        lines.append(f"index recall ({share}): {', '.join(found_by_index)}")
    if dropping := [_left_out(row) for row in found if row.left_out is not None and row.rows]:
        lines.append(f"training rows left out for want of negatives (fill=drop), all epochs: {', '.join(dropping)}")
    if mostly := [f"{row.label} {100 * row.filled:.1f} %" for row in found if row.filled and mostly_random(row.filled)]:
        lines.append(
            f"{table.FILLED} more than a third of the negatives are random fill ({', '.join(mostly)}): such a row says "
            "little of how the method chooses"
        )
    if any(row.method == UNTOUCHED for row in found):
        lines.append(
            "untouched: the encoder as published, with its own layers, prompts and tokens per text; start is what the "
            "trainings begin with, at their max_length"
        )
    lines += [f"{method.alias} is {method.spelling}" for method in settings.methods if method.alias is not None]
    lines += [_more_pairs(method, settings) for method in settings.methods if method.equal_documents]
    if any(row.form == "interpretation" for row in found):
        lines.append(f"{table.INTERPRETED.strip()} an interpretation: the paper leaves some details open")
    return lines


def _left_out(row: Row) -> str:
    """Return the number of a method's training rows that are left out, of how many, in the mean over seeds."""
    assert row.left_out is not None
    assert row.rows
    return f"{row.label} {row.left_out:,.0f} of {row.rows:,.0f} ({100 * row.left_out / row.rows:.1f} %)"


def _more_pairs(method: Method, settings: Settings) -> str:
    """Return a legend line on a method that trains on more labelled pairs, with the control that does not."""
    has_random = any(other.name == "random" for other in settings.methods)
    control = "random is the control with" if has_random else "add random as the control with"
    times = 1 + settings.negatives
    return f"{method.label} trains on {times} times the labelled pairs; {control} as many documents but equal pairs"


def notes(data: dict[str, Any], found: Sequence[Row], settings: Settings) -> list[str]:
    """Return the explanations below table.md, one paragraph each."""
    marks = legend(found, settings)
    paired = "Differences to the baseline are paired by query and seed"
    if any(row.family for row in found):
        paired += (
            "; without a mark a difference is undecided, or there is only one seed; an interval that leaves out 0 "
            "without a mark is undecided after correction"
        )
    if any(row.detectable is not None for row in found):
        paired += (
            ". `detectable`: the smallest difference that this many queries and seeds would detect with 80 % power "
            "(5 % level, uncorrected)"
        )
    lines = [
        f"Values are means over seeds. {'. '.join(marks)}. {paired}. `start` is the encoder before training, "
        "`bm25-search` is BM25 as the search engine; references are not tested. False negatives: the "
        "share of relevant documents among the mined negatives, weighted as in training, with a 95 % interval over "
        "queries, seeds pooled. `in-batch %`: the same share among the documents of the other rows in a batch, after "
        "masking the known positives. `random fill %`: negatives drawn at random from the corpus because too few "
        "candidates were left. `seconds`: the cost of the method when nothing is shared; `marginal seconds`: the cost "
        "of the stages that no other trial of this grid uses."
    ]
    if any(table.INFORMATION in row.others for row in found):
        lines.append(
            "`ECI`: effective contrastive information of the mined negatives in nats, by the encoder before training: "
            "high where negatives are near the query and the positive is nearer still. An interpretation: the abstract "
            "of its paper, which it follows, gives no formula."
        )
    return [*lines, *estimator_notes(data["trials"], found, settings), *teachers(data["trials"])]
