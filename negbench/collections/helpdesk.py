"""The generated collection: a vendor's help centre, in which every relevant pair is known.

**The definition.** An article is about one product line (an invented name), one device, one part and one symptom. It
says so, gives a remedy, and says where it applies: only under one condition ("only if the fault occurs in severe
frost"), or under all ("in any climate"). A question states all of this: line, device, part, symptom, and the
condition under which the fault occurs. *An article is relevant to a question exactly when line, device, part and
symptom are the question's, and the condition is the one that the question states or the article applies under all.*
All grades are 1. Truth is computed from the facets by this rule (``_helpdesk2.facets.answers``), never from text.

A careful reader should find the same, and four things see to that:

* Every restriction is a sentence that restricts, and every question states its side of it.
* The conditions that one topic (line, device, part, symptom) knows exclude one another: a fault began after a power
  outage or after a hard impact, the phone runs Android or iOS.
* No two topics, and no two conditions of a topic, share a remedy: what is irrelevant never holds the remedy of what
  is relevant.
* The symptoms that a part can show cannot be taken for one another, and neither can the parts and the devices.

**Hardness.** Cases come in blocks that hold every combination of a few things (line and device), parts, symptoms and
conditions. So a question has near misses of four kinds, which share all facets but one with it: the same part,
symptom and condition of another thing; another part; another symptom; another condition. The parameters
``other_things``, ``other_parts``, ``other_symptoms`` and ``other_conditions`` are how many others of a kind there
are, with at least one article each.

**Vocabulary gap.** A question names device, part, symptom and condition either in the help centre's words or in a
customer's, which no article uses: a "battery pack" that "overheats" "following a power outage" is to him a "juice
pack" that "feels like an oven" "since the blackout". ``paraphrase`` is the share that are in his own words. Lines
have no other name. The help centre itself has two or three terms for a part, symptom and condition.

Articles with the same facets are rewordings: another title, other sentences, the same remedy. Where the visible
labels keep one and not the other, there is a natural false negative; and so there is where they keep what applies to
one condition and not what applies to all.

Questions of train and dev lose labels in a chosen way; those of test keep all, so that a metric on test measures
the truth. No two questions and no two articles read the same. Where there are more questions than cases, cases of
train and dev are asked about again in other words, and those of test are not.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from negbench.collections import Source
from negbench.collections._helpdesk.labels import numbered, pairs, split_rows, with_hidden
from negbench.collections._helpdesk2.blocks import NearMisses
from negbench.collections._helpdesk2.questions import Questions, ask
from negbench.collections._helpdesk2.world import World, build
from negbench.collections.withholding import Withhold
from negbench.types import Collection


@dataclass(frozen=True, slots=True)
class Facets:
    """The facets behind the texts, row for row as in the collection, and the query rows of each split."""

    world: World
    questions: Questions
    splits: dict[str, range]


class Helpdesk(Source):
    """A generated help centre whose relevance is complete and can be read off the texts; the embedded default.

    The test questions are the same for any number of the others. A near miss of a question is a case that differs from
    it in one thing alone, and has an article of its own: the more near misses, the harder. ``paraphrase`` is the
    vocabulary gap.

    Labels are left out of the visible qrels of train and dev at ``random``; where an article lies below the depth of a
    pooler (``pooling``, by character 4-gram TF-IDF); or at random, but less often for articles that answer many
    questions (``popularity``) or resemble the question (``similarity``). Every query keeps one label, so a very low
    rate is not reached. Corpus and truth do not depend on paraphrase, withhold or label_rate. ``helpdesk(version=1)``
    is the first version. Source: our own.
    """

    name: ClassVar[str] = "helpdesk"
    version: ClassVar[int] = 2

    articles: int = Field(default=1200, ge=100, le=30_000, description="Number of articles in the corpus.")
    queries: int = Field(default=400, ge=1, le=100_000, description="Number of training questions.")
    dev: int = Field(default=60, ge=1, le=100_000, description="Number of dev questions.")
    test: int = Field(default=200, ge=1, le=100_000, description="Number of test questions.")
    other_things: int = Field(
        default=2,
        ge=0,
        le=4,
        description="Least number of near misses per question that differ from it in the device alone.",
    )
    other_parts: int = Field(
        default=1,
        ge=0,
        le=2,
        description="Least number of near misses per question that differ from it in the part alone.",
    )
    other_symptoms: int = Field(
        default=1,
        ge=0,
        le=2,
        description="Least number of near misses per question that differ from it in the symptom alone.",
    )
    other_conditions: int = Field(
        default=3,
        ge=0,
        le=3,
        description="Least number of near misses per question that differ from it in the condition alone.",
    )
    paraphrase: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description=(
            "Share of a question's devices, parts, symptoms and conditions that are named in words no article uses."
        ),
    )
    withhold: Withhold = Field(
        default="random",
        description=(
            "How hidden labels are chosen: at `random`, by a pooler's depth (`pooling`), by `popularity` or "
            "`similarity`."
        ),
    )
    label_rate: float = Field(
        default=0.5,
        gt=0.0,
        le=1.0,
        description="Share of the relevant pairs that stays labelled in train and dev; each query keeps at least one.",
    )
    seed: int = Field(
        default=0, ge=0, description="Seed of the generated texts; each makes another help centre of the same kind."
    )

    def fingerprint(self) -> str:
        """Return a digest of name, version and parameters: the bytes follow from them."""
        identity = json.dumps(self.identity(), sort_keys=True)
        return hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()

    def facets(self) -> Facets:
        """Return what all articles and questions are about. Raises InputError where the sizes do not go together."""
        near = NearMisses(self.other_things, self.other_parts, self.other_symptoms, self.other_conditions)
        world = build(self.articles, near, self.seed)
        questions = ask(world, self.test, self.dev + self.queries, self.paraphrase, self.seed)
        return Facets(world, questions, split_rows(self.queries, self.dev, self.test))

    def load(self) -> Collection:
        """Write the help centre down. Raises InputError where the sizes do not go together."""
        facets = self.facets()
        titles, texts, said = facets.world.titles, facets.world.texts, facets.questions.texts
        passages = [f"{title} {text}" for title, text in zip(titles, texts, strict=True)]
        truth = {split: pairs(facets.questions.relevant, rows) for split, rows in facets.splits.items()}
        return Collection(
            name=self.name,
            document_ids=numbered("a", len(titles)),
            titles=titles,
            texts=texts,
            query_ids=numbered("q", len(said)),
            queries=said,
            qrels=with_hidden(truth, self.withhold, self.label_rate, (said, passages), self.seed),
            truth=truth,
            truth_kind="complete",
        )
