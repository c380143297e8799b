"""Version 1 of the generated collection, ``helpdesk(version=1)``: tables published with it can be made again.

Its truth is complete by its rule, which is not always a reader's: a plan's sentence may restrict nothing, an article
may state a condition that the question leaves unsaid, and what differs in a condition alone may hold the same remedy.
Version 2 (``helpdesk.py``) has none of these.

An article answers for a combination of six facets: product (an invented name), device (what kind of thing it is),
part, problem, condition (when it happens) and plan (what customer it is for). Product, device, condition and plan
may be open: the article then answers for all values. A question states part and problem, and leaves any of the
other facets unsaid. **The rule:** an article is relevant to a question exactly when, for every facet that the
question states, the article has the same value or leaves the facet open. Truth is computed from the facets by this
rule (``_helpdesk.facets.answers``), never from text, and so it is complete. All grades are 1.

Articles speak the help centre's language and questions the customer's: a "companion application" that "rejects
valid credentials" "following a factory reset" is to him an "app" that "won't let me in" "since I wiped it".
A share of the articles are near-duplicates: word for word another article, but for one facet (product, condition or
plan) that differs by one or two words. Another share are rewordings: the facets of another article in other words.
Wherever the visible qrels keep the label of one and not of the other, there is a natural false negative.

Questions of train and dev lose labels in a chosen way; those of test keep all, so that a metric on test measures
the truth. No two questions state the same facets or read the same, in one split or in two, and no two articles read
the same. A bigger help centre has more products, so the number of relevant articles grows slowly with its size.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from negbench.collections import Source
from negbench.collections._helpdesk.articles import article
from negbench.collections._helpdesk.facets import PRODUCT
from negbench.collections._helpdesk.labels import numbered, pairs, split_rows, with_hidden
from negbench.collections._helpdesk.questions import Questions, ask
from negbench.collections._helpdesk.world import Articles, build
from negbench.collections.withholding import Withhold
from negbench.types import Collection


@dataclass(frozen=True, slots=True)
class World:
    """The facets behind the texts, row for row as in the collection, and the query rows of each split."""

    articles: Articles
    questions: Questions
    splits: dict[str, range]


class HelpdeskV1(Source):
    """The first generated help centre, whose relevance is complete by a rule on six facets.

    The test questions are the same for any number of the others. Labels are left out of the visible qrels of train and
    dev as in the second version, and every query keeps one. Corpus, questions and truth depend neither on withhold nor
    on label_rate. Source: our own.
    """

    name: ClassVar[str] = "helpdesk"
    version: ClassVar[int] = 1
    superseded: ClassVar[bool] = True

    articles: int = Field(default=1200, ge=100, le=1_000_000, description="Number of articles in the corpus.")
    queries: int = Field(default=400, ge=1, le=100_000, description="Number of training questions.")
    dev: int = Field(default=60, ge=1, le=100_000, description="Number of dev questions.")
    test: int = Field(default=200, ge=1, le=100_000, description="Number of test questions.")
    near_duplicates: float = Field(
        default=0.25, ge=0.0, le=0.4, description="Share of the articles that copy another one with one facet changed."
    )
    rewordings: float = Field(
        default=0.15, ge=0.0, le=0.3, description="Share of the articles that say what another one says in other words."
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

    def world(self) -> World:
        """Return the facets of all articles and questions. Raises InputError where they would have to repeat."""
        copies = round(self.articles * self.near_duplicates), round(self.articles * self.rewordings)
        articles = build(self.articles, *copies, self.seed)
        questions = ask(articles, self.test + self.dev + self.queries, self.seed)
        return World(articles, questions, split_rows(self.queries, self.dev, self.test))

    def load(self) -> Collection:
        world = self.world()
        titles, texts = self._articles(world.articles)
        passages = [f"{title} {text}" for title, text in zip(titles, texts, strict=True)]
        truth = {split: pairs(world.questions.relevant, rows) for split, rows in world.splits.items()}
        said = world.questions.texts
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

    @staticmethod
    def _articles(articles: Articles) -> tuple[list[str], list[str]]:
        facets, wording = articles.facets.tolist(), articles.wording.tolist()
        written = [
            article(states, way, articles.products[states[PRODUCT]])
            for states, way in zip(facets, wording, strict=True)
        ]
        return [title for title, _ in written], [text for _, text in written]
