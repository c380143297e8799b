from __future__ import annotations

import dataclasses
import itertools
import re
from collections import Counter

import numpy as np
import pytest
from collection_tables import digest, pairs
from pydantic import ValidationError

from negbench.collections import Source
from negbench.collections._helpdesk2 import questions, remedies
from negbench.collections._helpdesk2.blocks import NearMisses
from negbench.collections._helpdesk2.conditions import AXES
from negbench.collections._helpdesk2.facets import AXIS_NAMES, PART_NAMES, SYMPTOM_NAMES
from negbench.collections._helpdesk2.symptoms import SYMPTOMS
from negbench.collections._helpdesk2.things import DEVICES, PARTS
from negbench.collections._helpdesk2.world import build
from negbench.collections.helpdesk import Helpdesk
from negbench.collections.helpdesk_v1 import HelpdeskV1
from negbench.collections.resolve import source_of
from negbench.errors import InputError
from negbench.types import Collection, Qrels

GOLDEN = "da3b818ef0fb4784e0908d51aa20cd88"
SMALL = Helpdesk(articles=300, queries=60, dev=20, test=30)
LINE, DEVICE, PART, SYMPTOM, AXIS, CONDITION = range(6)
OTHERS = ("other_things", "other_parts", "other_symptoms", "other_conditions")


@pytest.fixture(scope="module")
def default() -> Collection:
    return Helpdesk().load()


def everywhere(tables: dict[str, Qrels]) -> set[tuple[int, int]]:
    return set().union(*(pairs(table) for table in tables.values()))


def held_by(text: str, phrases: dict[int, tuple[str, ...]]) -> int:
    """Return the number whose phrase the text holds as whole words; the longest phrase decides where several do."""
    padded = f" {re.sub(r'[.,:;()?]', ' ', text)} ".replace("'s ", " 's ")
    found = {
        number: max((len(phrase) for phrase in ways if f" {phrase} " in padded), default=0)
        for number, ways in phrases.items()
    }
    assert max(found.values()), text
    (number,) = [number for number, length in found.items() if length == max(found.values())]
    return number


def conditions_in(text: str) -> set[tuple[int, int]]:
    """Return (axis, condition) for every condition that the text names in the help centre's words."""
    found = set()
    for a, axis in enumerate(AXES.values()):
        for c, condition in enumerate(axis.conditions):
            if any(re.search(rf"\b{term}\b", text) for term in condition.terms):
                found.add((a, c))
    return found


def test_output_has_not_changed_without_a_new_version(default: Collection) -> None:
    assert (Helpdesk.version, digest(default)) == (2, GOLDEN)
    assert digest(Helpdesk(seed=1).load()) != GOLDEN


def test_the_first_version_is_there_by_name_with_its_bytes_and_keys() -> None:
    first = source_of("helpdesk(version=1)")
    assert type(first) is HelpdeskV1
    assert digest(first.load()) == "aab3e516f53b5170fe8ca26dcc44abf7"
    assert first.fingerprint() == "f2f919479cde90ab9c83de025c3922a0"  # trainings stored with it are found again
    assert first.spelling == "helpdesk(version=1)"
    changed = source_of({"source": "helpdesk", "version": 1, "near_duplicates": 0.1})
    assert changed == HelpdeskV1(near_duplicates=0.1) == source_of(changed.spelling)
    assert source_of({"source": "helpdesk(version=1)", "articles": 300}) == HelpdeskV1(articles=300)
    assert source_of("hidden(collection=helpdesk(version=1))").parameters["collection"] == HelpdeskV1()


def test_the_second_version_is_the_default_and_a_third_is_refused() -> None:
    assert source_of("helpdesk") == source_of("helpdesk(version=2)") == Helpdesk()
    for wrong in ("3", "0", "true", "one"):
        with pytest.raises(InputError, match="version: helpdesk has versions 1 and 2, found"):
            source_of(f"helpdesk(version={wrong})")
    with pytest.raises(InputError, match="no parameter of helpdesk is called 'near_duplicates'"):
        source_of("helpdesk(near_duplicates=0.1)")
    with pytest.raises(InputError, match="no parameter of hidden is called 'version'"):
        source_of("hidden(collection=helpdesk, version=1)")


def test_counts_splits_and_ids(default: Collection) -> None:
    assert len(default.texts) == len(set(default.passages())) == len(set(default.document_ids)) == 1200
    assert [len(default.split_queries(split)) for split in ("train", "dev", "test")] == [400, 60, 200]
    assert len(default.queries) == len(set(default.queries)) == len(set(default.query_ids)) == 660
    assert (default.document_ids[0], default.query_ids[-1], default.truth_kind) == ("a0001", "q0660", "complete")
    rows = [set(default.split_queries(split).tolist()) for split in default.qrels]
    assert not any(one & other for one, other in itertools.combinations(rows, 2))
    for truth in default.truth.values():
        assert 2.5 < len(truth) / len(set(truth.queries.tolist())) < 4.5


def test_truth_is_the_rule_by_brute_force() -> None:
    facets, collection = SMALL.facets(), SMALL.load()
    expected = {
        (q, a)
        for q, question in enumerate(facets.questions.facets.tolist())
        for a, article in enumerate(facets.world.articles.tolist())
        if question[:CONDITION] == article[:CONDITION] and article[CONDITION] in (-1, question[CONDITION])
    }
    assert everywhere(collection.truth) == expected
    assert all((truth.grades == 1).all() for truth in collection.truth.values())


@pytest.mark.parametrize("paraphrase", [0.0, 0.5, 1.0])
def test_truth_can_be_read_off_the_texts_alone(paraphrase: float) -> None:
    """A reader who knows the words and sees no facet finds the same pairs."""
    source = SMALL.model_copy(update={"paraphrase": paraphrase})
    collection, lines = source.load(), source.facets().world.lines
    devices = {row: (device.term, *device.lay) for row, device in enumerate(DEVICES)}
    parts = {row: (*part.terms, *part.lay) for row, part in enumerate(PARTS.values())}
    symptoms = {row: (*symptom.states, *symptom.lay) for row, symptom in enumerate(SYMPTOMS.values())}
    every = {
        (a, c): (*condition.terms, *condition.lay)
        for a, axis in enumerate(AXES.values())
        for c, condition in enumerate(axis.conditions)
    }
    conditions = dict(enumerate(every.values()))

    def about(text: str) -> tuple[str, int, int, int]:
        (line,) = [line for line in lines if line in text]
        for phrase in itertools.chain.from_iterable(every.values()):
            text = text.replace(phrase, "")  # the firmware of "after a firmware update" is no part
        return line, held_by(text, devices), held_by(text, parts), held_by(text, symptoms)

    articles = []
    for text in collection.texts:
        opening, scope = text.split(". ")[0], text.rstrip(".").split(". ")[-1]
        held = conditions_in(scope)
        restricted = len(held) == 1
        assert restricted == bool(re.search(r"only if|solely for a fault|not unless", scope))
        assert conditions_in(opening) <= held
        articles.append((about(opening), held if restricted else None, scope))
    expected = set()
    for q, question in enumerate(collection.queries):
        said = question[0].lower() + question[1:]
        topic, asked = about(said), list(every)[held_by(said, conditions)]
        for a, (answered, held, scope) in enumerate(articles):
            if answered == topic and (held is None or asked in held):
                expected.add((q, a))
                assert held is not None or AXES[AXIS_NAMES[asked[0]]].any in scope or asked in conditions_in(scope)
    assert expected == everywhere(collection.truth)


def test_no_irrelevant_article_holds_the_remedy_of_a_relevant_one(default: Collection) -> None:
    world = Helpdesk().facets().world
    told = []
    for facets, number, text in zip(world.articles.tolist(), world.remedies.tolist(), default.texts, strict=True):
        prepare, repair, conclude = (
            step.format(device=DEVICES[facets[DEVICE]].term, part="|")
            for step in remedies.steps(SYMPTOM_NAMES[facets[SYMPTOM]], number)
        )
        assert prepare in text
        assert all(half in text for half in repair.split("|"))
        assert conclude in text
        told.append((repair, prepare, conclude))
    relevant = [set(rows.tolist()) for truth in default.truth.values() for rows in truth.by_query().values()]
    holders: dict[tuple[str, str, str], set[int]] = {}
    for row, remedy in enumerate(told):
        holders.setdefault(remedy, set()).add(row)
    for rows in relevant:
        assert set().union(*(holders[told[row]] for row in rows)) == rows
    # what differs in the condition alone even differs in the repair
    for rows in holders.values():
        assert len({tuple(world.articles[row]) for row in rows}) == 1
    by_topic: dict[tuple[int, ...], dict[str, set[int]]] = {}
    for row, (repair, _, _) in enumerate(told):
        topic = tuple(world.articles[row, :CONDITION].tolist())
        by_topic.setdefault(topic, {}).setdefault(repair, set()).add(int(world.articles[row, CONDITION]))
    assert all(len(scopes) == 1 for repairs in by_topic.values() for scopes in repairs.values())


def test_every_remedy_of_a_symptom_is_another() -> None:
    steps = [remedies.steps("heat", number) for number in range(remedies.ROOM)]
    assert len(set(steps)) == remedies.ROOM
    for start in range(0, remedies.ROOM - 12, 7):
        assert len({repair for _, repair, _ in steps[start : start + 12]}) == 12
    assert remedies.REPAIRS.keys() == SYMPTOMS.keys()
    assert {len(set(repairs)) for repairs in remedies.REPAIRS.values()} == {12}


def test_facets_belong_together_and_a_topic_has_one_axis(default: Collection) -> None:
    facets = Helpdesk().facets()
    axes: dict[tuple[int, ...], set[int]] = {}
    for row in (*facets.world.articles.tolist(), *facets.questions.facets.tolist()):
        part, symptom = PARTS[PART_NAMES[row[PART]]], SYMPTOMS[SYMPTOM_NAMES[row[SYMPTOM]]]
        assert PART_NAMES[row[PART]] in DEVICES[row[DEVICE]].parts
        assert SYMPTOM_NAMES[row[SYMPTOM]] in part.symptoms
        assert AXIS_NAMES[row[AXIS]] in (("partner", "account", "history") if part.software else symptom.axes)
        axes.setdefault(tuple(row[:AXIS]), set()).add(row[AXIS])
    assert {len(known) for known in axes.values()} == {1}
    assert (facets.questions.facets >= 0).all()


def near_misses(source: Helpdesk) -> np.ndarray:
    """Count for each question [q] and kind [4] the restricted cases that differ from it in that alone."""
    facets = source.facets()
    cases = {tuple(row) for row in facets.world.articles.tolist() if row[CONDITION] >= 0}
    counts = []
    for line, device, part, symptom, axis, condition in facets.questions.facets.tolist():
        count = [0, 0, 0, 0]
        for case in cases:
            differs = (case[:2] != (line, device), case[2] != part, case[3] != symptom, case[5] != condition)
            if case[AXIS] == axis and sum(differs) == 1:
                count[differs.index(True)] += 1
        counts.append(count)
    return np.array(counts)


@pytest.mark.parametrize("kind", range(4))
def test_near_misses_of_a_kind_grow_with_its_parameter(kind: int) -> None:
    bare = Helpdesk(articles=400, queries=30, dev=5, test=5, **dict.fromkeys(OTHERS, 1))  # type: ignore[arg-type]
    means = []
    for others in (0, 1, 2):
        source = bare.model_copy(update={OTHERS[kind]: others})
        found = near_misses(source)
        promised = [getattr(source, name) for name in OTHERS]
        assert (found >= promised).all()
        assert (found[:, 3] == promised[3]).all()  # the topic's own conditions, and no others
        means.append(found[:, kind].mean())
    assert means[0] < means[1] < means[2]


def words(text: str) -> set[str]:
    return {word for word in re.findall(r"[\w'-]+", text.lower()) if len(word) > 3}


def test_the_vocabulary_gap_grows_with_paraphrase() -> None:
    shared = []
    collections = [SMALL.model_copy(update={"paraphrase": share}).load() for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    for collection in collections:
        found = [words(text) for text in collection.passages()]
        overlaps = [
            len(words(collection.queries[q]) & found[a]) / len(words(collection.queries[q]))
            for q, a in everywhere(collection.truth)
        ]
        shared.append(np.mean(overlaps))
        assert collection.passages() == collections[0].passages()
        assert everywhere(collection.truth) == everywhere(collections[0].truth)
    assert all(wider < narrower for narrower, wider in itertools.pairwise(shared))
    assert shared[0] > 2 * shared[-1]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_paraphrases_is_the_parameter(share: float) -> None:
    source = SMALL.model_copy(update={"paraphrase": share, "queries": 200})
    lay = 0
    for facets, text in zip(source.facets().questions.facets.tolist(), source.load().queries, strict=True):
        said = text[0].lower() + text[1:]
        condition = AXES[AXIS_NAMES[facets[AXIS]]].conditions[facets[CONDITION]]
        part, symptom = PARTS[PART_NAMES[facets[PART]]], SYMPTOMS[SYMPTOM_NAMES[facets[SYMPTOM]]]
        for ways in (DEVICES[facets[DEVICE]].lay, part.lay, symptom.lay, condition.lay):
            lay += any(re.search(rf"\b{way}\b", line) for way in ways for line in (text, said))
    assert lay / (4 * 250) == pytest.approx(share, abs=0.03)


def test_no_article_uses_a_customers_phrase(default: Collection) -> None:
    passages = f" {re.sub(r'[.,:;()]', ' ', ' '.join(default.passages()))} "
    groups = [*DEVICES, *PARTS.values(), *SYMPTOMS.values()]
    groups += [condition for axis in AXES.values() for condition in axis.conditions]
    lay = Counter(way for group in groups for way in group.lay)
    assert not [way for way in lay if f" {way} " in passages]
    assert set(lay.values()) == {1}  # nor does a phrase mean two things


@pytest.mark.parametrize("seed", [0, 1])
def test_reads_as_english(seed: int) -> None:
    collection = Helpdesk(seed=seed).load()
    for text in [*collection.titles, *collection.texts, *collection.queries]:
        assert not re.search(r"[{}_|]|  |\s$|^\s| [.,:]|\bNone\b|\.\.", text), text
        assert not re.search(r"\ba (?!uni)[aeiou]", text, re.IGNORECASE), text
        assert not re.search(r"\b(\w+) \1\b", text, re.IGNORECASE), text
        assert all(start.isupper() for start in re.findall(r"^\W*(\w)|[.?] (\w)", text) for start in start if start), (
            text
        )
    assert all(text.endswith(".") for text in collection.texts)
    assert all(question[-1] in ".?" for question in collection.queries)
    lengths = [len(passage.split()) for passage in collection.passages()]
    assert (min(lengths) >= 40, max(lengths) <= 90) == (True, True)
    assert max(Counter(" ".join(text.split()[:3]) for text in collection.texts).values()) < 300


def test_articles_with_the_same_facets_are_rewordings(default: Collection) -> None:
    facets = Helpdesk().facets().world.articles
    shelves: dict[tuple[int, ...], list[int]] = {}
    for row, said in enumerate(facets.tolist()):
        shelves.setdefault(tuple(said), []).append(row)
    twins = [pair for rows in shelves.values() for pair in itertools.combinations(rows, 2)]
    assert len(twins) > 200
    shown, hidden = pairs(default.qrels["train"]), everywhere(default.truth) - everywhere(default.qrels)
    kept_one = [(q, a) for q, a in hidden if any((q, other) in shown for other in shelves[tuple(facets[a].tolist())])]
    assert len(kept_one) > 50


@pytest.mark.parametrize("mode", ["random", "pooling", "popularity", "similarity"])
@pytest.mark.parametrize("rate", [0.5, 0.8])
def test_labels_are_hidden_in_train_and_dev_alone(mode: str, rate: float, default: Collection) -> None:
    collection = Helpdesk.model_validate({"withhold": mode, "label_rate": rate}).load()
    assert (collection.passages(), collection.queries) == (default.passages(), default.queries)
    for split in ("train", "dev", "test"):
        truth, qrels = collection.truth[split], collection.qrels[split]
        assert pairs(truth) == pairs(default.truth[split])
        assert pairs(qrels) <= pairs(truth)
        assert set(qrels.queries) == set(truth.queries)
        assert len(qrels) / len(truth) == pytest.approx(rate if split != "test" else 1.0, abs=0.02)


def test_test_questions_do_not_depend_on_the_training_set() -> None:
    one, other = SMALL.load(), SMALL.model_copy(update={"queries": 90, "dev": 7}).load()
    assert pairs(one.truth["test"]) == pairs(other.truth["test"])
    assert (one.queries[:30], one.passages()) == (other.queries[:30], other.passages())


def test_more_questions_than_cases_leave_those_of_test_alone() -> None:
    facets = Helpdesk(articles=100, queries=120, dev=10, test=10).facets()
    asked = [tuple(said) for said in facets.questions.facets.tolist()]
    assert len(facets.world.cases) == 48
    assert len(set(asked)) == 48
    assert not set(asked[:10]) & set(asked[10:])
    assert len(set(facets.questions.texts)) == 140


def test_too_few_articles_for_the_near_misses_is_told() -> None:
    with pytest.raises(InputError, match="take at least 108 articles, found articles=100"):
        Helpdesk(articles=100, other_parts=2, other_symptoms=2).load()


def test_too_few_ways_to_ask_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_PATIENCE", 1)
    with pytest.raises(InputError, match="too few ways to ask 3030 questions about 48 cases"):
        Helpdesk(articles=100, queries=3000, dev=20, test=10).load()


def test_more_remedies_than_there_are_is_told() -> None:
    with pytest.raises(InputError, match=r"remedies of '\w+', and there are \d+; ask for fewer, or for version=1"):
        build(80_000, NearMisses(2, 1, 1, 3), 0)


def test_a_bigger_help_centre_has_more_lines_and_no_more_answers() -> None:
    small, big = SMALL.facets(), Helpdesk(articles=4000, queries=50, dev=5, test=5).facets()
    assert len(set(big.world.lines)) > len(set(small.world.lines))
    assert len(set(zip(big.world.titles, big.world.texts, strict=True))) == 4000
    answers = [np.mean([len(rows) for rows in facets.questions.relevant]) for facets in (small, big)]
    assert answers[1] < answers[0] + 1


def test_generation_is_repeatable_and_follows_the_identity() -> None:
    assert digest(SMALL.load()) == digest(SMALL.model_copy().load())
    changes: list[dict[str, object]] = [{name: 0} for name in OTHERS]
    changes += [{"seed": 1}, {"articles": 1201}, {"paraphrase": 0.4}, {"label_rate": 0.4}]
    prints = {Helpdesk.model_validate(change).fingerprint() for change in [{}, *changes]}
    assert len(prints) == 1 + len(changes)
    assert dataclasses.asdict(SMALL.facets())["splits"] == {
        "train": range(50, 110),
        "dev": range(30, 50),
        "test": range(30),
    }
    assert Source.model_validate("helpdesk(articles=300, paraphrase=1)") == Helpdesk(articles=300, paraphrase=1.0)


@pytest.mark.parametrize("wrong", [{"articles": 99}, {"paraphrase": 1.1}, {"other_things": 5}, {"label_rate": 0.0}])
def test_parameters_out_of_bounds_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Helpdesk.model_validate(wrong)
