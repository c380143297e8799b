"""A language model over a real HTTP server on loopback, and a local one against its own tokens."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import Server, completion
from pydantic import ValidationError

from negbench.errors import InputError, plainly
from negbench.teachers.llm import HIGHEST, INSTRUCTIONS, LanguageModel, graded
from negbench.teachers.local_llm import LocalLanguageModel


def judge(server: Server, **fields: Any) -> LanguageModel:
    return LanguageModel.model_validate({"model": "m", "server": server.url, "key": "SECRET", "retries": 0, **fields})


PAIRS = [(f"query {n}", f"passage {n}") for n in range(6)]


def test_each_pair_gets_its_grade(server: Server) -> None:
    server.behave = lambda text, times: (200, f"Thinking it over.\nscore: {int(text.split()[2]) % 4}")
    scores = judge(server).score(PAIRS, None, "float32")
    np.testing.assert_allclose(scores, [0, 1 / 3, 2 / 3, 1, 0, 1 / 3], rtol=1e-6)
    assert scores.dtype == np.float32
    assert all(said["messages"][0] == {"role": "system", "content": INSTRUCTIONS} for said in server.heard)
    assert {said["key"] for said in server.heard} == {"Bearer sk-1"}
    assert {said["temperature"] for said in server.heard} == {0}


def test_nothing_is_asked_twice(server: Server) -> None:
    first = judge(server).score([*PAIRS, PAIRS[0]], None, "float32")
    assert set(server.asked.values()) == {1}
    again = judge(server, workers=1, timeout=5.0).score([*PAIRS, PAIRS[0]], None, "float32")
    assert set(server.asked.values()) == {1}
    np.testing.assert_array_equal(again, first)
    judge(server, model="other").score(PAIRS[:1], None, "float32")
    assert sum(server.asked.values()) == 7


@pytest.mark.parametrize("answer", ["I cannot help with that.", "score: 7", "score: -", "between 1 and 2"])
def test_an_answer_without_a_grade_is_no_score(server: Server, answer: str) -> None:
    server.behave = lambda text, times: (200, answer if "3" in text else "score: 1")
    scores = judge(server).score(PAIRS, None, "float32")
    assert np.isnan(scores).tolist() == [False, False, False, True, False, False]


BROKEN: dict[str, tuple[dict[str, Any] | bytes, str]] = {
    "an error": ({"error": {"message": "upstream is down", "code": 502}}, "holds no answer: .*upstream is down.*"),
    "no choice": ({**completion("score: 1"), "choices": []}, "holds no answer: .*"),
    "choices of another type": ({**completion("score: 1"), "choices": "score: 1"}, "holds no answer: .*"),
    "no message": ({**completion("score: 1"), "choices": [{"index": 0}]}, "holds no answer: .*"),
    "no JSON": (b"<html>busy</html>", "is no JSON"),
    "half": (json.dumps(completion("score: 1")).encode()[:60], "is no JSON"),
    "nothing": (completion(None), "is empty"),
    "blank": (completion(" \n"), "is empty"),
    "cut off": (completion("score: 1", "length"), "was cut off at the server's limit of tokens; raise it"),
    "cut off by Mistral": (
        completion("score: 1", "model_length"),
        "was cut off at the server's limit of tokens; raise it",
    ),
    "given up": (completion("score: 1", "error"), r"ended in the middle \(error\)"),
    "given up by DeepSeek": (
        completion("score: 1", "insufficient_system_resource"),
        r"ended in the middle \(insufficient_system_resource\)",
    ),
    "half a character": (completion("score: 1 \ud800"), "holds half a character"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_reply_is_no_answer_and_is_not_kept(server: Server, name: str) -> None:
    reply, reason = BROKEN[name]
    server.behave = lambda text, times: (200, reply) if "3" in text else (200, "score: 0")
    with pytest.raises(
        InputError, match=rf"1 of 6 requests were not answered \(1 with a reply that {reason}\); the an"
    ):
        judge(server).score(PAIRS, None, "float32")
    server.behave = lambda text, times: (200, "score: 3")
    assert judge(server).score(PAIRS, None, "float32").tolist() == [0, 0, 0, 1, 0, 0]


def test_a_broken_reply_is_asked_for_again_but_for_one_that_would_be_cut_off_again(server: Server) -> None:
    server.behave = lambda text, times: (200, completion(None) if times < 3 else "score: 3")
    assert judge(server, retries=2).score(PAIRS[:2], None, "float32").tolist() == [1, 1]
    assert set(server.asked.values()) == {3}
    server.behave = lambda text, times: (200, completion("so", "length"))
    with pytest.raises(InputError, match="1 of 1 requests were not answered"):
        judge(server, retries=2).score(PAIRS[2:3], None, "float32")
    assert set(server.asked.values()) == {3, 1}


def test_answers_of_two_models_under_one_name_are_not_mixed(server: Server) -> None:
    of = lambda name: {**completion("score: 3"), "model": name}  # noqa: E731
    server.behave = lambda text, times: (200, of("judge-2024"))
    assert judge(server).score(PAIRS[:2], None, "float32").tolist() == [1, 1]
    server.behave = lambda text, times: (200, of("judge-2026" if times == 1 else "judge-2024"))
    reason = r"1 with a reply that is by the model 'judge-2026', where earlier answers are by 'judge-2024'; set model"
    with pytest.raises(InputError, match=reason):
        judge(server).score(PAIRS[:3], None, "float32")
    assert judge(server).score(PAIRS[:3], None, "float32").tolist() == [1, 1, 1]  # behind a router, say
    assert server.asked["Query: query 2\n\nPassage: passage 2"] == 2
    server.behave = lambda text, times: (200, of("judge-2026"))
    assert judge(server, model="judge-2026").score(PAIRS[:1], None, "float32").tolist() == [1]


def test_a_server_that_names_no_model_is_believed(server: Server) -> None:
    server.behave = lambda text, times: (200, {**completion("score: 3"), "model": None if "2" in text else " "})
    assert judge(server).score(PAIRS, None, "float32").tolist() == [1] * 6


@pytest.mark.parametrize(
    "reply",
    [
        completion(None, refusal="I can't."),
        completion("score: 2, be", "content_filter"),
        completion(None, "content_filter"),
    ],
)
def test_a_refusal_is_an_answer_without_a_grade(server: Server, reply: dict[str, Any]) -> None:
    server.behave = lambda text, times: (200, reply if "3" in text else "score: 1")
    for _ in range(2):
        scores = judge(server).score(PAIRS, None, "float32")
        assert np.isnan(scores).tolist() == [False, False, False, True, False, False]
    assert set(server.asked.values()) == {1}


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("<think>score: 0, or score: 1?</think>\n\nscore: 3", 1),
        ("Let me see: score: 0.\n</think>\nscore: 3", 1),  # a server may leave the first mark out
        ("<think>score: 3</think>", math.nan),
        ("<think>it could be score: 1, or", math.nan),
    ],
)
def test_what_a_model_thinks_aloud_is_no_answer(server: Server, answer: str, score: float) -> None:
    server.behave = lambda text, times: (200, answer)
    np.testing.assert_array_equal(judge(server).score(PAIRS[:1], None, "float32"), np.float32([score]))
    (said,) = judge(server).ask("judge", INSTRUCTIONS, ["x"])
    assert said.strip() == ("" if math.isnan(score) else "score: 3")


def test_a_server_that_names_no_reason_to_stop_is_believed(server: Server) -> None:
    reply = completion("score: 3")
    del reply["choices"][0]["finish_reason"]
    server.behave = lambda text, times: (200, reply)
    assert judge(server).score(PAIRS[:1], None, "float32").tolist() == [1]


def test_an_empty_answer_that_was_kept_once_is_asked_for_again(server: Server, tmp_path: Path) -> None:
    judge(server).score(PAIRS[:2], None, "float32")
    with sqlite3.connect(tmp_path / "store/answers/llm.sqlite") as database:
        database.execute("UPDATE answers SET answer = '' WHERE rowid = 1")
    assert not np.isnan(judge(server).score(PAIRS[:2], None, "float32")).any()
    assert sum(server.asked.values()) == 3


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.behave = lambda text, times: (429, "slow down") if times == 1 else (200, "score: 3")
    assert judge(server, retries=2).score(PAIRS[:2], None, "float32").tolist() == [1, 1]
    assert set(server.asked.values()) == {2}


def test_a_server_that_hangs_costs_no_answer_that_came(server: Server) -> None:
    server.behave = lambda text, times: None if "query 2" in text else (200, "score: 0")
    with pytest.raises(InputError, match=r"1 of 6 requests were not answered \(1 for: .*timed out\); the answ"):
        judge(server, timeout=0.5).score(PAIRS, None, "float32")
    server.behave = lambda text, times: (200, "score: 3")
    assert judge(server).score(PAIRS, None, "float32").tolist() == [0, 0, 1, 0, 0, 0]


def test_the_budget_is_kept_and_a_larger_one_goes_on(server: Server) -> None:
    with pytest.raises(InputError, match=r"its budget of 4 requests is spent, 2 are left"):
        judge(server, budget=4).score(PAIRS, None, "float32")
    assert sum(server.asked.values()) == 4
    judge(server, budget=2).score(PAIRS, None, "float32")
    assert sum(server.asked.values()) == 6


def test_a_refused_key_and_no_key_are_one_line(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.behave = lambda text, times: (401, "no such key")
    with pytest.raises(InputError, match=r"the server refuses: .*no such key") as caught:
        judge(server).score(PAIRS, None, "float32")
    assert "sk-1" not in str(caught.value)
    monkeypatch.delenv("SECRET")
    with pytest.raises(InputError, match="the environment variable SECRET holds no key"):
        judge(server).score([("q", "p")], None, "float32")


@pytest.mark.usefixtures("server")
def test_a_server_that_is_not_there_is_told_why() -> None:
    absent = LanguageModel(server="http://127.0.0.1:9/v1", key="SECRET", retries=0)
    with pytest.raises(InputError, match=r"2 of 2 requests were not answered \(2 for: .*Connection refused\)"):
        absent.score(PAIRS[:2], None, "float32")


@pytest.mark.parametrize("status", [200, 401, 500])
def test_a_key_that_the_server_repeats_is_hidden(
    server: Server, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    said = "Bearer sk-1 is not known"
    server.behave = lambda text, times: (status, said if status != 200 else {"error": said})
    with pytest.raises(InputError, match=r"Bearer \[the key\] is not known") as caught:
        judge(server).score(PAIRS[:1], None, "float32")
    assert "sk-1" not in "".join(traceback.format_exception(caught.value))
    assert "sk-1" not in "".join(capfd.readouterr())


BAD_ADDRESSES = {
    "localhost:8000/v1": "expected an address such as https://example.org/v1, found 'localhost:8000/v1'",
    "ftp://example.org": "expected an address such as",
    "http://": "expected an address such as",
    "http://[::1": "expected an address such as",
    "http://host:port/v1": "expected an address such as",
    "http://host:99999/v1": "expected an address such as",
    "http://a host/v1": "expected an address such as",
    "https://user:sk-secret@host/v1": "has a user name or password, which would stand in the results; put it into an",
    "https://sk-secret@host/v1": "has a user name or password",
    "https://host/v1?api_key=sk-secret": "has a [?] or #; leave out what follows, and if it is a key, put it into an",
    "https://host/v1#sk-secret": "has a [?] or #",
}


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_an_address_that_is_none_or_holds_a_secret(address: str) -> None:
    with pytest.raises(ValidationError, match=BAD_ADDRESSES[address]) as caught:
        LanguageModel(server=address)
    assert "sk-secret" not in plainly(caught.value.errors()[0])


@pytest.mark.parametrize("key", ["sk-proj-secret", "$OPENAI_API_KEY", "a key", "1A", ""])
def test_a_key_itself_is_no_name_of_a_variable(key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LanguageModel(key=key)
    assert "secret" not in plainly(caught.value.errors()[0])


@pytest.mark.parametrize(
    ("answer", "grade"),
    [
        ("score: 2", 2), ("Score 3", 3), ("**score**: 1.", 1), ('{"score": 0}', 0), ("2", 2), (" 3.\n", 3),
        ("score: 1, no: score: 2", 2), ("score: 11", None), ("0 or 1", None), ("two", None),
        ("score: 3/3", 3), ("score: 2 out of 3", 2), ("score - 2", 2), ("- 1", 1), ("score: \uff12", 2),
        ('{"score": 2.0}', 2),
        ("score: 2, since 3 is too much", 2), ("on the scale score 0 to 3, score: 1", 1), ("score: 3 - all of it", 3),
        ("M: 3\nT: 2\nscore: 2", 2), ("score: 1 (underscore 3)", 1), ("Score: 2 (M: 3, T: 3)", 2),
        ("score: -1", None), ("-1", None), ("score: \u22121", None), ("score: 2.5", None), ("score: 1,5", None),
        ("score: 0.9", None), ("score: 3/10", None), ("score: 3 out of 10", None), ("3/10", None), ("score: 3%", None),
        ("score: 1-3", None), ("score: 2 or 3", None), ("score: 1e1", None), ("score: 1/2", None),
        ("score: \u00bd", None),
    ],
)  # fmt: skip
def test_grades_as_models_write_them(answer: str, grade: int | None) -> None:
    found = graded(answer)
    assert math.isnan(found) if grade is None else found == pytest.approx(grade / HIGHEST)


def test_how_it_is_fetched_is_not_what_it_says() -> None:
    one, other = LanguageModel(workers=1, key="A", budget=5), LanguageModel(workers=9, key="B", timeout=1.0)
    assert one.identity() == other.identity()
    assert one.identity() != LanguageModel(server="http://x").identity()


class TestLocal:
    def test_the_score_is_the_expected_grade_of_the_next_token(self, tiny_causal: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        pairs = [("who?", "somebody"), ("where is the moss", "on the bark, " * 5), ("when", "x")]
        found = LocalLanguageModel(model=str(tiny_causal), max_length=2000, batch_size=2).score(pairs, None, "float32")
        tokenizer, causal = (
            AutoTokenizer.from_pretrained(tiny_causal),
            AutoModelForCausalLM.from_pretrained(tiny_causal),
        )
        digits = [tokenizer.convert_tokens_to_ids(str(grade)) for grade in range(4)]
        for score, (query, passage) in zip(found, pairs, strict=True):
            text = f"{INSTRUCTIONS}\n\nQuery: {query}\n\nPassage: {passage}\n\nscore:"
            with torch.inference_mode():
                logits = causal(**tokenizer(text, return_tensors="pt")).logits[0, -1]
            expected = (logits[digits].softmax(0) * torch.arange(4)).sum() / 3
            assert score == pytest.approx(expected.item(), abs=1e-5)
        assert len(set(found.tolist())) == 3

    def test_weights_are_float32_whatever_the_file_has(self, tiny_causal: Path, tmp_path: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        half = AutoModelForCausalLM.from_pretrained(tiny_causal, dtype=torch.bfloat16)
        half.save_pretrained(tmp_path / "half")
        half.float().save_pretrained(tmp_path / "whole")  # the same numbers
        for folder in ("half", "whole"):
            AutoTokenizer.from_pretrained(tiny_causal).save_pretrained(tmp_path / folder)
        half_scores, whole_scores = (
            LocalLanguageModel(model=str(tmp_path / name), max_length=900).score(PAIRS[:2], None, "float32")
            for name in ("half", "whole")
        )
        np.testing.assert_array_equal(half_scores, whole_scores)

    def test_a_checkpoint_that_is_not_whole_is_refused(self, tiny_causal: Path, tmp_path: Path) -> None:
        shutil.copytree(tiny_causal, tmp_path / "m")
        config = json.loads((tmp_path / "m/config.json").read_text())
        (tmp_path / "m/config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
        with pytest.raises(InputError, match=r"teacher local-llm\(.*lacks model\.layers\.2\.\S+ and \d+ more, which"):
            LocalLanguageModel(model=str(tmp_path / "m")).score(PAIRS[:1], None, "float32")

    def test_a_long_passage_is_cut_and_the_question_stays(self, tiny_causal: Path) -> None:
        teacher = LocalLanguageModel(model=str(tiny_causal), max_length=900)
        short, long = teacher.score([("q", "a" * 900), ("q", "a" * 4000)], None, "float32")
        assert short == pytest.approx(long, abs=1e-6)
