"""Prints pairs of a question and an article to be judged by a reader, and with --key what the collection says.

    python experiments/helpdesk/read.py --round 1 > pairs.txt        # read these, write a verdict beside each
    python experiments/helpdesk/read.py --round 1 --key > key.txt    # then compare
    python experiments/helpdesk/read.py --round 2 --compare experiments/helpdesk/verdicts.csv    # ours

The pairs lie where errors would: 40 relevant ones; 40 irrelevant ones that share all facets but one with the question
(ten each of another thing, part, symptom or condition); and 20 irrelevant ones that share the most words with it.
Every pair is of another test question. Each round is a fresh draw; the order says nothing about the label.
"""

from __future__ import annotations

import argparse
import csv
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from negbench.collections._helpdesk2.facets import CONDITION, DEVICE, LINE, OPEN, PART, SYMPTOM, answers
from negbench.collections.helpdesk import Helpdesk
from negbench.rng import CounterRNG
from negbench.types import Bool, Int32

KINDS = ("relevant",) * 4 + ("thing", "part", "symptom", "condition") + ("words",) * 2
"""What each of ten questions in a row is shown with."""


def main() -> None:
    """Print the pairs, or their key."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--round", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--key", action="store_true")
    parser.add_argument("--compare", type=Path, help="verdicts as a CSV file: pair, relevant (yes or no)")
    asked = parser.parse_args()
    collection, facets = Helpdesk().load(), Helpdesk().facets()
    passages, disputed = collection.passages(), 0
    verdicts = {}
    if asked.compare:
        with asked.compare.open(encoding="utf-8") as lines:
            verdicts = {int(row["pair"]): row["relevant"] == "yes" for row in csv.DictReader(lines)}
    for number, (query, document, kind) in enumerate(sample(asked.round, asked.pairs), start=1):
        relevant = bool(answers(facets.world.articles[[document]], facets.questions.facets[query])[0])
        if asked.compare:
            disputed += verdicts[number] != relevant
        elif asked.key:
            print(f"{number:3} {'yes' if relevant else 'no ':3} {kind}")
        else:
            print(textwrap.fill(f"{number}. Q: {collection.queries[query]}", 118))
            print(textwrap.fill(f"A: {passages[document]}", 118, initial_indent="   ", subsequent_indent="   "), "\n")
    if asked.compare:
        print(f"{len(verdicts)} verdicts, {disputed} disputed")


def sample(turn: int, wanted: int) -> Iterator[tuple[int, int, str]]:
    """Yield (query row, document row, kind) in random order."""
    facets, collection = Helpdesk().facets(), Helpdesk().load()
    articles, passages = facets.world.articles, [content(text) for text in collection.passages()]
    rng = CounterRNG(turn, "experiments/helpdesk/read")
    queries = rng.order(np.array(facets.splits["test"]))[:wanted].tolist()
    found = []
    for place, query in enumerate(queries):
        question, kind = facets.questions.facets[query], KINDS[place % len(KINDS)]
        if kind == "words":
            said = content(collection.queries[query])
            shared = np.array([len(said & words) for words in passages])
            choice = ~answers(articles, question)
            choice &= shared == shared[choice].max()
        else:
            choice = of_kind(articles, question, kind)
        rows = np.flatnonzero(choice)
        found.append((query, int(rows[int(rng.uniform(query, 1) * len(rows))]), kind))
    yield from (found[place] for place in CounterRNG(turn, "experiments/helpdesk/order").order(np.arange(len(found))))


def of_kind(articles: Int32, question: Int32, kind: str) -> Bool:
    """Tell which articles [n] are relevant, or differ from the question in this one thing alone."""
    if kind == "relevant":
        return answers(articles, question)
    differs = {
        "thing": (articles[:, [LINE, DEVICE]] != question[[LINE, DEVICE]]).any(axis=1),
        "part": articles[:, PART] != question[PART],
        "symptom": articles[:, SYMPTOM] != question[SYMPTOM],
        "condition": (articles[:, CONDITION] != OPEN) & (articles[:, CONDITION] != question[CONDITION]),
    }
    chosen: Bool = np.all([differs[name] == (name == kind) for name in differs], axis=0)
    return chosen


def content(text: str) -> set[str]:
    """Return the words of a text that have more than two letters, without their case."""
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) > 2}


if __name__ == "__main__":
    main()
