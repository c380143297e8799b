"""Label Studio: a sheet as tasks with their labelling configuration, and the answers of an export.

An export in JSON or JSON-MIN is read here; one in CSV has the columns of a sheet. Formats:
https://labelstud.io/guide/tasks and https://labelstud.io/guide/export
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TASKS, CONFIG = "label_studio.json", "label_studio.xml"

_CONFIG = """<View>
  <Header value="Query"/>
  <Text name="query" value="$query"/>
  <Header value="Known positives"/>
  <Text name="positives" value="$positives"/>
  <Header value="Document"/>
  <Text name="document" value="$document"/>
  <Header value="Is the document relevant to the query?"/>
  <Choices name="answer" toName="document" choice="single" required="true" showInline="true">
    <Choice value="yes" hotkey="y"/>
    <Choice value="no" hotkey="n"/>
    <Choice value="unsure" hotkey="u"/>
  </Choices>
</View>
"""


def write(folder: Path, items: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write a task for each of the sheet's items, and the labelling configuration of the project."""
    tasks = [
        {
            "data": {
                "item": item["item"],
                "query": item["query"],
                "positives": "\n\n".join(item["positives"]),
                "document": item["document"],
            }
        }
        for item in items
    ]
    (folder / TASKS).write_text(json.dumps(tasks, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / CONFIG).write_text(_CONFIG, encoding="utf-8")
    return [folder / TASKS, folder / CONFIG]


def answers(task: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the answers to an exported task as item, answer and annotator; None for what is no such task.

    Annotations that were skipped have no answer. Of several by one annotator the last in the file counts.
    """
    annotations, data = task.get("annotations"), task.get("data")
    if isinstance(annotations, list) and isinstance(data, dict):
        kept = [it for it in annotations if isinstance(it, dict) and not it.get("was_cancelled")]
        return [
            {"item": data.get("item"), "answer": _choice(it.get("result")), "annotator": _name(it.get("completed_by"))}
            for it in kept
        ]
    if "annotation_id" in task and "item" in task:  # JSON-MIN
        return [{"item": task["item"], "answer": task.get("answer"), "annotator": _name(task.get("annotator"))}]
    return None


def _choice(result: Any) -> Any:
    """Return the choice of the question ``answer``; None where it has none."""
    for region in result if isinstance(result, list) else []:
        if isinstance(region, dict) and region.get("from_name") == "answer":
            choices = region.get("value", {}).get("choices")
            return choices[0] if isinstance(choices, list) and choices else None
    return None


def _name(annotator: Any) -> str | None:
    """Return an annotator's address or number."""
    if isinstance(annotator, dict):
        annotator = annotator.get("email") or annotator.get("id")
    return None if annotator is None else str(annotator)
