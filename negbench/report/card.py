"""The model card of an encoder that a grid trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from negbench.plan.trials import Trial


def card(trial: Trial, record: dict[str, Any]) -> str:
    """Return the card as Markdown, with the front matter that model hubs read; ``record`` is as in results.json.

    It names collection and model without the paths to them.
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
            for measure in settings.measures
            if record["metrics"].get(measure) is not None
        ],
    )
    recipe = settings.train.model_dump(mode="json")
    return f"""---
{data.to_yaml()}
---

# {trial.name}

A SentenceTransformer trained by negbench to compare ways of choosing negatives.

- start: `{Path(given).name}`, altered: {_altered(trial)}
- method: `{trial.spelling}` ({trial.form}), seed {trial.seed}
- collection: {trial.collection_name}, split `train`
- negatives a row: {settings.negatives if trial.negatives is not None else "those of the batch alone"}
- recipe: {", ".join(f"{name} {value}" for name, value in recipe.items() if value is not None)}

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
queries = model.encode_query(["a question"])
documents = model.encode_document(["a passage"])
print(model.similarity(queries, documents))
```

It was trained on one collection for an experiment, with at most {recipe["max_length"]} tokens a text. How well it does
elsewhere was not measured, unless the run that it belongs to says so.
"""


def _altered(trial: Trial) -> str:
    spec = trial.settings.encoder.model_dump(mode="json", exclude={"model", "revision"}, exclude_defaults=True)
    altered = [f"{name} {value}" for name, value in spec.items()]
    altered += ["warmed up with in-batch negatives"] if trial.settings.warm_up is not None else []
    return ", ".join(altered) or "no"
