"""The model card of an encoder that a grid trained."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from negbench.escaping import for_markdown, markdown_code
from negbench.evaluation import significance
from negbench.evaluation.false_negatives import headline
from negbench.evaluation.ranking import says_nothing
from negbench.plan.trials import Trial
from negbench.report.audited import Audited
from negbench.report.references import NAMES, References
from negbench.stages.inputs import StartEncoder
from negbench.store import Store, ancestors
from negbench.training.max_length import MaxLength

Intervals = Mapping[str, tuple[float, float]]
"""The ends of the 95 % confidence interval over queries, by measure."""


@dataclass(frozen=True)
class Choice:
    """Why an encoder was chosen: the ``measure`` on ``split`` by row of the table, in the mean over seeds.

    ``start`` is that of the encoder before the training of the chosen row. Without a split it is the only row.
    """

    measure: str
    split: str | None
    values: Mapping[str, float]
    start: float | None = None

    @property
    def sentence(self) -> str:
        """The choice in one sentence, with the untrained start where that is no worse."""
        if self.split is None:
            return "the only row that was trained"
        top = max(self.values.values())
        said = f"highest {self.measure} on {self.split}, {top:.4f}, of {len(self.values)} rows"
        if self.start is not None and self.start >= top:
            said += f"; the encoder before training has {self.start:.4f} there, so training gains nothing"
        return said


def intervals(trial: Trial, store: Store) -> Intervals:
    """Return the intervals of the measures of a finished trial; none where a measure has too few queries."""
    folder = store.path(trial.evaluation)
    names: list[str] = json.loads((folder / "measures.json").read_text())
    found = {}
    for number, name in enumerate(names):
        values = np.load(folder / f"{number}.npy", allow_pickle=False)
        estimate = significance.estimate(values[None])
        if not math.isnan(estimate.low):
            found[name] = (estimate.low, estimate.high)
    return found


def card(
    trial: Trial,
    record: dict[str, Any],
    intervals: Intervals | None = None,
    choice: Choice | None = None,
    by_people: Audited | None = None,
    references: References | None = None,
) -> str:
    """Return the card as Markdown with the front matter of model hubs; ``record`` is the trial's in results.json.

    The card gives names of collection and model, not their local paths. ``choice``: why the encoder was taken;
    ``by_people``: the audited rate of its negatives; ``references``: those of its row, which are shown beside it.
    """
    from huggingface_hub import EvalResult, ModelCardData

    settings = trial.settings
    given = settings.encoder.model
    data = ModelCardData(
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=["sentence-transformers", "sentence-similarity", "feature-extraction", "negbench"],
        base_model=None if Path(given).exists() else given,
        model_name=trial.name,
        eval_results=[
            EvalResult(
                task_type="information-retrieval",
                task_name="Information Retrieval",
                dataset_type=trial.collection_name,
                dataset_name=trial.collection_name,
                dataset_split=settings.split,
                metric_type=measure.lower(),
                metric_name=measure,
                metric_value=round(record["metrics"][measure], 4),
            )
            for measure in _shown(trial, record)
        ],
    )
    recipe = settings.train.model_dump(mode="json")
    digests = {"collection": trial.evaluation.collection.fingerprint}
    if trial.training is not None:
        starts = [stage for stage in ancestors(trial.training) if isinstance(stage, StartEncoder)]
        digests |= {f"encoder {Path(stage.spec.model).name}": stage.fingerprint for stage in starts}
        digests["training"] = trial.training.key
    return f"""---
{data.to_yaml()}
---

# {for_markdown(trial.name)}

A SentenceTransformer trained by negbench in a comparison of hard-negative mining methods.

- starting encoder: {markdown_code(Path(given).name)}, modified: {_altered(trial)}
- grid: {settings.name}{_chosen(choice)}
- method: {markdown_code(trial.spelling)} ({trial.form}), seed {trial.seed}
- collection: {for_markdown(trial.collection_name)}, split `train`
- mined negatives per row: {settings.negatives if trial.negatives is not None else "none, in-batch negatives only"}
- recipe: {", ".join(f"{name} {value}" for name, value in recipe.items() if value is not None)}
- digests: {", ".join(f"{name} `{digest}`" for name, digest in digests.items())}

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
queries = model.encode_query(["a question"])
documents = model.encode_document(["a passage"])
print(model.similarity(queries, documents))
```
{_one_sided(trial)}
{_scores(trial, record, intervals or {}, by_people, references)}
It was trained on one collection for an experiment, with at most {_tokens(settings.train.max_length)}. Its quality on
other collections was not measured, unless the results of its run say so.
"""


def _chosen(choice: Choice | None) -> str:
    return "" if choice is None else f"; chosen as {choice.sentence}"


def _one_sided(trial: Trial) -> str:
    """Return a warning on an encoder whose documents were not trained."""
    if trial.training is None or trial.training.documents is None:
        return ""
    return (
        "\nOnly the query side was trained. Encode documents with the starting encoder: the document vectors of this "
        "folder do not fit its queries.\n"
    )


def _scores(
    trial: Trial,
    record: dict[str, Any],
    intervals: Intervals,
    by_people: Audited | None,
    references: References | None,
) -> str:
    """Return the measures on the split as a table beside references, and the false-negative rates of the negatives."""
    beside = () if references is None else references.found
    heading = [f"measure on {trial.settings.split}", "value", "95 % interval over queries", *(it.name for it in beside)]
    lines = [f"| {' | '.join(heading)} |", "|---" * len(heading) + "|"]
    for measure in _shown(trial, record):
        low, high = intervals.get(measure, (math.nan, math.nan))
        span = "" if math.isnan(low) else f"{low:.4f} to {high:.4f}"
        others = [f"{it.metrics[measure]:.4f}" if measure in it.metrics else "" for it in beside]
        lines.append(f"| {' | '.join([measure, format(record['metrics'][measure], '.4f'), span, *others])} |")
    lines += ["", "One training: the interval does not cover the variation between seeds."]
    if references is not None and beside:
        named = [f"`{it.name}` is {NAMES[it.name]}" for it in beside]
        lines += ["", f"For comparison: {', '.join(named)}."]
        if references.sentence:
            lines += ["", f"In the mean over its seeds this row has {references.sentence}."]
    if by_people is not None:
        pooled = f", of all {len(by_people.negatives)} seeds" if len(by_people.negatives) > 1 else ""
        lines += ["", f"False negatives among the mined ones{pooled} (audit): {by_people}; {by_people.note}."]
    rates = {name: it for name, it in record.get("false_negatives", {}).items() if it.get("rate") is not None}
    first = headline(rates)
    for name, rate in rates.items():
        contradicts = by_people is not None and _contradicts(name, rate, by_people)
        if name != first and not contradicts:
            continue
        low, high = rate.get("low"), rate.get("high")
        span = "" if low is None or high is None else f" [{100 * low:.2f}, {100 * high:.2f}]"
        said = f"False negatives among the mined ones ({name}): {100 * rate['rate']:.2f} %{span}; {rate['note']}."
        if contradicts:
            said += " It and the audit disagree, their intervals do not overlap; believe the audit's labels."
        lines += ["", said]
    return "\n".join(lines) + "\n"


def _shown(trial: Trial, record: Mapping[str, Any]) -> list[str]:
    """Return the measures that the trial has values of, without those that are 1 for any encoder."""
    values = {name: record["metrics"].get(name) for name in trial.settings.measures}
    return [name for name, value in values.items() if value is not None and not says_nothing(name, [value])]


def _contradicts(name: str, rate: Mapping[str, Any], by_people: Audited) -> bool:
    """Return whether an estimated share of negatives and the audited one have intervals that do not overlap."""
    if rate.get("unit") != "negative" or "/" in name:
        return False
    low, high = (rate["rate"] if rate.get(end) is None else float(rate[end]) for end in ("low", "high"))
    return bool(low > by_people.high or high < by_people.low)


def _tokens(most: MaxLength) -> str:
    if most.query == most.document:
        return f"{most.query} tokens per text"
    return f"{most.query} tokens per query and {most.document} per document"


def _altered(trial: Trial) -> str:
    spec = trial.settings.encoder.model_dump(mode="json", exclude={"model", "revision"}, exclude_defaults=True)
    altered = [f"{name} {value}" for name, value in spec.items()]
    altered += ["warmed up with in-batch negatives"] if trial.settings.warm_up is not None else []
    return ", ".join(altered) or "no"
