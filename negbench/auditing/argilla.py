"""Argilla: a sheet as records with the settings of their dataset, and the answers of exported records.

``rg.Settings.from_json`` and ``dataset.records.from_json`` of Argilla 2 read what is written here. Answers are read
from ``dataset.records.to_json``, and from flattened records (``to_list(flatten=True)`` or ``to_datasets``, as JSON).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RECORDS, SETTINGS = "argilla_records.json", "argilla_settings.json"
_QUESTION = "answer"
_CHOICES = ("yes", "no", "unsure")


def write(folder: Path, items: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write a record for each of the sheet's items, whose number is its id, and the settings of the dataset."""
    records = [
        {
            "id": str(item["item"]),
            "fields": {
                "query": item["query"],
                **({"positives": "\n\n".join(item["positives"])} if item["positives"] else {}),
                "document": item["document"],
            },
            "metadata": {},
            "suggestions": {},
            "responses": {},
            "vectors": {},
        }
        for item in items
    ]
    (folder / RECORDS).write_text(json.dumps(records, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / SETTINGS).write_text(json.dumps(_settings(), indent=1) + "\n", encoding="utf-8")
    return [folder / RECORDS, folder / SETTINGS]


def _settings() -> dict[str, Any]:
    titles = {"query": "Query", "positives": "Known positives", "document": "Document"}
    return {
        "guidelines": "Answer yes where the document is relevant to the query, even in part.",
        "fields": [
            {
                "name": name,
                "title": title,
                "required": name != "positives",
                "settings": {"type": "text", "use_markdown": False},
            }
            for name, title in titles.items()
        ],
        "questions": [
            {
                "name": _QUESTION,
                "title": "Is the document relevant to the query?",
                "required": True,
                "settings": {
                    "type": "label_selection",
                    "options": [{"value": choice, "text": choice} for choice in _CHOICES],
                },
            }
        ],
        "metadata": [],
        "vectors": [],
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
    }


def answers(record: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the answers to an exported record as item, answer and annotator; None for what is no such record.

    Flattened records tell drafts and discarded responses, which do not count.
    """
    item, flat = record.get("id"), f"{_QUESTION}.responses"
    if flat in record:
        values = record[flat] or []
        users = record.get(f"{flat}.users") or [None] * len(values)
        statuses = record.get(f"{flat}.status") or [None] * len(values)
        return [
            {"item": item, "answer": value, "annotator": user}
            for value, user, status in zip(values, users, statuses, strict=True)
            if status in (None, "submitted")
        ]
    if "fields" not in record or not isinstance(responses := record.get("responses"), dict):
        return None
    return [
        {"item": item, "answer": one.get("value"), "annotator": one.get("user_id")}
        for one in responses.get(_QUESTION) or []
    ]
