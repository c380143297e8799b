"""When a fault occurs. Conditions of one axis exclude one another, and a topic has conditions of one axis alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as a phrase that follows "the fault occurs": the help centre's words, and a customer's."""

    terms: tuple[str, str]
    lay: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Axis:
    """Four conditions that exclude one another, and how an article says that it holds under all of them."""

    any: str
    conditions: tuple[Condition, Condition, Condition, Condition]


AXES: Final[dict[str, Axis]] = {
    "onset": Axis(
        "no matter what happened before",
        (
            Condition(
                ("after a firmware update", "following a firmware update"),
                ("ever since it updated itself", "since the new version came"),
            ),
            Condition(
                ("after a hard impact", "following a hard impact"),
                ("since it took a hard knock", "since something heavy fell on it"),
            ),
            Condition(
                ("after a power outage", "following a power outage"),
                ("since the electricity went off", "since the blackout"),
            ),
            Condition(
                ("after a site relocation", "following a site relocation"),
                ("since we moved house", "since our move to another flat"),
            ),
        ),
    ),
    "operation": Axis(
        "in any mode of operation",
        (
            Condition(
                ("in standby", "in standby operation"),
                ("while nobody is using it", "whenever it just sits there unused"),
            ),
            Condition(
                ("in continuous operation", "under uninterrupted load"),
                ("when I use it for hours on end", "after hours of non-stop use"),
            ),
            Condition(
                ("during initial setup", "during commissioning"),
                ("straight out of the box", "the first time I switched it on"),
            ),
            Condition(
                ("during shutdown", "in the shutdown phase"),
                ("while I am turning it off", "each time it powers down"),
            ),
        ),
    ),
    "climate": Axis(
        "in any climate",
        (
            Condition(
                ("in direct sunlight", "under strong solar radiation"),
                ("where the sun burns down on it", "out in the blazing sun"),
            ),
            Condition(
                ("in freezing temperatures", "in severe frost"),
                ("in our ice-cold garage", "when it's below zero outside"),
            ),
            Condition(
                ("in humid environments", "in high air humidity"),
                ("in our steamy bathroom", "in the damp cellar"),
            ),
            Condition(
                ("in dusty environments", "in dust-laden air"),
                ("in my sawdust-covered workshop", "on a building site full of grit"),
            ),
        ),
    ),
    "partner": Axis(
        "with any phone or computer",
        (
            Condition(
                ("with an Android phone", "in combination with an Android phone"),
                ("with my Google Pixel", "with my Samsung Galaxy"),
            ),
            Condition(
                ("with an iOS phone", "in combination with an iOS phone"),
                ("with my iPhone", "with my wife's iPhone"),
            ),
            Condition(
                ("with a Windows computer", "in combination with a Windows computer"),
                ("with my Microsoft PC", "with my Microsoft Surface"),
            ),
            Condition(
                ("with a macOS computer", "in combination with a macOS computer"),
                ("with my MacBook", "with my iMac"),
            ),
        ),
    ),
    "account": Axis(
        "under any kind of account",
        (
            Condition(
                ("under a child account", "in a session of a child account"),
                ("under my daughter's login", "when my little boy is logged in"),
            ),
            Condition(
                ("under a guest account", "in a session of a guest account"),
                ("under the login for visitors", "when a visitor is logged in"),
            ),
            Condition(
                ("under an administrator account", "in a session of an administrator account"),
                ("under the master login", "when the master user is logged in"),
            ),
            Condition(
                ("under a corporate account", "in a session of a corporate account"),
                ("under the login from my employer", "when I use the login from work"),
            ),
        ),
    ),
    "history": Axis(
        "no matter what happened before",
        (
            Condition(
                ("after a factory reset", "following a factory reset"),
                ("since I wiped it", "since I erased everything on it"),
            ),
            Condition(
                ("after a provider change", "following a provider change"),
                ("since we switched internet company", "since we have another broadband supplier"),
            ),
            Condition(
                ("after a licence renewal", "following a licence renewal"),
                ("since I paid for another year", "since I extended my subscription"),
            ),
            Condition(
                ("after a clock change", "following a clock change"),
                ("since the hour went forward", "since summer time began"),
            ),
        ),
    ),
}
"""The axes by name."""

HARDWARE: Final = ("onset", "operation", "climate")
SOFTWARE: Final = ("partner", "account", "history")
