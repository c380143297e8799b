"""A sheet that is labelled in Label Studio or Argilla gives the answers that were given there."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_answers import by
from made_population import frame

from negbench.auditing import answers, argilla, draw, label_studio, sheet
from negbench.auditing.answers import Answer
from negbench.errors import InputError

SAID: dict[int, Answer] = {1: "yes", 2: "no", 3: "unsure", 5: "no"}
"""What one annotator answers; item 4 is skipped."""
SECOND: dict[int, Answer] = {1: "no"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    whole = frame()
    sheet.write(tmp_path / "sheet", whole, draw.draw(whole, 10, None, 0), 0)
    return tmp_path / "sheet"


def tasks(folder: Path) -> list[dict[str, Any]]:
    """The tasks as Label Studio exports them after two people have worked."""
    label_studio.write(folder, sheet.texts(folder))
    imported = json.loads((folder / label_studio.TASKS).read_text())

    def annotation(choice: str | None, who: Any) -> dict[str, Any]:
        region = {"from_name": "answer", "to_name": "document", "type": "choices", "value": {"choices": [choice]}}
        return {"completed_by": who, "was_cancelled": choice is None, "result": [] if choice is None else [region]}

    people = ((SAID, {"id": 1, "email": "ann@example.org"}), (SECOND, 2))
    return [
        {
            "id": 100 + at,
            "data": task["data"],
            "annotations": [annotation(said[at], who) for said, who in people if at in said]
            or ([annotation(None, 2)] if at == 4 else []),
        }
        for at, task in enumerate(imported, 1)
    ]


def test_label_studio_shows_the_texts_and_nothing_of_the_design(folder: Path) -> None:
    label_studio.write(folder, sheet.texts(folder))
    imported = json.loads((folder / label_studio.TASKS).read_text())
    items = sheet.texts(folder)
    assert [task["data"]["item"] for task in imported] == [item["item"] for item in items]
    assert [task["data"]["document"] for task in imported] == [item["document"] for item in items]
    assert all(set(task) == {"data"} for task in imported)
    view = ET.parse(folder / label_studio.CONFIG).getroot()
    shown = {text.get("value", "").removeprefix("$") for text in view.iter("Text")}
    assert shown == {"query", "positives", "document"} == set(imported[0]["data"]) - {"item"}
    (choices,) = view.iter("Choices")
    assert choices.get("toName") in {text.get("name") for text in view.iter("Text")}
    assert [choice.get("value") for choice in choices] == ["yes", "no", "unsure"]


def test_answers_of_label_studio(folder: Path, tmp_path: Path) -> None:
    exported = tasks(folder)
    (tmp_path / "export.json").write_text(json.dumps(exported))
    found = answers.of_file(tmp_path / "export.json", len(exported))
    assert found == by(SAID, "ann@example.org") | by(SECOND, "2")
    least = [
        {**exported[at - 1]["data"], "id": at, "answer": said, "annotator": 7, "annotation_id": at}
        for at, said in SAID.items()
    ]
    (tmp_path / "min.json").write_text(json.dumps(least))
    assert answers.of_file(tmp_path / "min.json", len(exported)) == by(SAID, "7")


def records(folder: Path) -> list[dict[str, Any]]:
    """The records as ``dataset.records.to_json`` of Argilla writes them after two people have worked."""
    argilla.write(folder, sheet.texts(folder))
    made = json.loads((folder / argilla.RECORDS).read_text())
    for at, record in enumerate(made, 1):
        given = [{"value": said[at], "user_id": who} for said, who in ((SAID, "a-1"), (SECOND, "b-2")) if at in said]
        record |= {"responses": {"answer": given} if given else {}, "status": "pending", "_server_id": f"s{at}"}
    return made


def test_argilla_shows_the_texts_and_nothing_of_the_design(folder: Path) -> None:
    argilla.write(folder, sheet.texts(folder))
    made, settings = (json.loads((folder / name).read_text()) for name in (argilla.RECORDS, argilla.SETTINGS))
    assert [record["fields"]["document"] for record in made] == [item["document"] for item in sheet.texts(folder)]
    assert {name for record in made for name in record["fields"]} == {field["name"] for field in settings["fields"]}
    (question,) = settings["questions"]
    assert [option["value"] for option in question["settings"]["options"]] == ["yes", "no", "unsure"]
    assert not any(record["metadata"] or record["suggestions"] for record in made)


def test_answers_of_argilla(folder: Path, tmp_path: Path) -> None:
    exported = records(folder)
    (tmp_path / "records.json").write_text(json.dumps(exported))
    wanted = by(SAID, "a-1") | by(SECOND, "b-2")
    assert answers.of_file(tmp_path / "records.json", len(exported)) == wanted
    flat = []
    for record in exported:
        given = record["responses"].get("answer", [])
        flat.append(
            {
                "id": record["id"],
                **record["fields"],
                "answer.responses": [one["value"] for one in given] or None,
                "answer.responses.users": [one["user_id"] for one in given] or None,
                "answer.responses.status": ["submitted" for _ in given] or None,
            }
        )
    flat[4]["answer.responses.status"] = ["draft"]
    (tmp_path / "flat.jsonl").write_text("".join(json.dumps(record) + "\n" for record in flat))
    del wanted[5, "a-1"]
    assert answers.of_file(tmp_path / "flat.jsonl", len(exported)) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "export.json"),
        ("[3]", "entry 1: expected an object with an item"),
        ('[{"id": "99", "fields": {}, "responses": {"answer": [{"value": "yes"}]}}]', "item: expected a number from 1"),
        ('[{"id": 1, "fields": {}, "responses": {"answer": [{"value": "perhaps"}]}}]', "expected yes, no or unsure"),
    ],
)
def test_what_is_off_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "export.json").write_text(text)
    with pytest.raises(InputError, match=said) as raised:
        answers.of_file(tmp_path / "export.json", 10)
    assert "\n" not in str(raised.value)


def test_the_command(tmp_path: Path, negbench: Callable[..., Any]) -> None:
    rows = [
        {"query": f"query {at}", "pos": ["yes"], "neg": [f"document {at} {rank}" for rank in range(5)]}
        for at in range(9)
    ]
    (tmp_path / "mined.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    drawn = negbench("audit", "mined.jsonl", "--labels", "10", "--export", "label-studio", cwd=tmp_path)
    assert (drawn.code, drawn.err) == (0, "")
    folder = tmp_path / "audits/mined"
    assert "label_studio.json" in drawn.out
    again = negbench("audit", "audits/mined", "--export", "argilla", cwd=tmp_path)
    assert again.code == 0
    assert {"label_studio.json", "label_studio.xml", "argilla_records.json", "argilla_settings.json"} <= {
        path.name for path in folder.iterdir()
    }
    answered = json.loads((folder / "argilla_records.json").read_text())
    for record in answered:
        record["responses"] = {"answer": [{"value": "no", "user_id": "u"}]}
    (tmp_path / "done.json").write_text(json.dumps(answered))
    found = json.loads(negbench("audit", "audits/mined", "--answers", "done.json", "--json", cwd=tmp_path).out)
    assert (found["estimate"]["labels"], found["estimate"]["methods"][0]["rate"]) == (10, 0.0)
    assert negbench("audit", "audits/mined", "--export", "prodigy", cwd=tmp_path).code == 2
