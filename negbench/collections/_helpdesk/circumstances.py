"""When a problem occurs (conditions) and whom an article is written for (plans), official and lay."""

from __future__ import annotations

from dataclasses import dataclass

FAMILIES: dict[str, tuple[str, str]] = {
    "after": ("after a", "following a"),
    "in": ("in", "when used in"),
    "during": ("during", "throughout"),
}
"""The two official ways to introduce the conditions of a family."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition: two official words (siblings differ by two), lay clauses that start or end a sentence.

    ``physical`` conditions act only on parts that one can touch, and are all that damage can follow from.
    """

    family: str
    term: str
    lay: tuple[str, str, str]
    physical: bool = False


CONDITIONS: tuple[Condition, ...] = (
    Condition(
        "after",
        "firmware update",
        ("ever since it updated itself", "since the new version came", "since the firmware update"),
    ),
    Condition("after", "factory reset", ("since I wiped it", "since I started from zero", "after a factory reset")),
    Condition(
        "after", "power outage", ("since the electricity went off", "after the blackout", "after a power outage")
    ),
    Condition(
        "after",
        "hard impact",
        ("since I dropped it", "after it hit the floor", "after a hard knock"),
        physical=True,
    ),
    Condition(
        "after",
        "provider change",
        ("since we switched internet company", "after we changed broadband supplier", "since I changed provider"),
    ),
    Condition(
        "after",
        "site relocation",
        ("since we moved house", "after I took it upstairs", "since our relocation"),
    ),
    Condition(
        "in",
        "direct sunlight",
        ("out in the sun", "on bright summer days", "in direct sunlight"),
        physical=True,
    ),
    Condition(
        "in",
        "freezing temperatures",
        ("when it's icy outside", "in our cold garage", "in freezing weather"),
        physical=True,
    ),
    Condition("in", "humid environments", ("in the bathroom", "in our steamy kitchen", "in humid air"), physical=True),
    Condition("during", "overnight operation", ("all night long", "while we are asleep", "in overnight use")),
    Condition("during", "guest access", ("whenever visitors use it", "when friends borrow it", "with guest users")),
    Condition("during", "remote operation", ("when I'm away from home", "while I'm at work", "in remote use")),
    Condition("during", "initial setup", ("straight out of the box", "on day one", "during the setup")),
    Condition("during", "peak hours", ("when everyone is online", "at busy times", "at peak times")),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A customer's plan: one official word, lay clauses that give it away."""

    term: str
    lay: tuple[str, str, str]


PLANS: tuple[Plan, ...] = (
    Plan("Personal", ("it's only for me", "I live on my own", "I have a personal plan")),
    Plan("Family", ("the kids share it", "we are five at home", "we have the family plan")),
    Plan("Education", ("I teach at a school", "it's for our classroom", "we get the education discount")),
    Plan("Business", ("I run a small shop", "we are a little firm", "we pay for the business plan")),
    Plan("Enterprise", ("we have two thousand staff", "our head office owns hundreds", "we are enterprise customers")),
    Plan("Nonprofit", ("we are a charity", "I help feed the homeless", "we are a small nonprofit")),
    Plan("Hospitality", ("we run a hotel", "it's for our guest house", "I work in hospitality")),
    Plan("Healthcare", ("I work in a clinic", "it's for our doctors", "it's for healthcare staff")),
)
