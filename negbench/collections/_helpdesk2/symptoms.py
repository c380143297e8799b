"""What goes wrong: each symptom in the help centre's terms and in lay words.

No two symptoms of one part may pass for each other, in whatever words: what crackles is not also "distorted".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from negbench.collections._helpdesk2.conditions import HARDWARE


@dataclass(frozen=True, slots=True)
class Symptom:
    """A symptom: a noun without article, predicates, lay predicates, and the axes of conditions that suit it.

    Software shows its symptoms under the axes of software, whatever is said here.
    """

    noun: str
    states: tuple[str, str, str]
    lay: tuple[str, str, str]
    axes: tuple[str, ...] = HARDWARE


SYMPTOMS: Final[dict[str, Symptom]] = {
    "detect": Symptom(
        "detection failure",
        ("is not detected", "is not recognised by the system", "is absent from the inventory"),
        ("doesn't show up anywhere", "is nowhere to be found", "isn't seen at all"),
    ),
    "unresponsive": Symptom(
        "unresponsiveness",
        ("is unresponsive", "no longer reacts to input", "ceases to respond to commands"),
        ("has frozen", "ignores me completely", "does nothing whatever I try"),
    ),
    "heat": Symptom(
        "overheating",
        ("overheats", "exceeds its operating temperature", "triggers a thermal warning"),
        ("gets burning hot", "is too hot to touch", "feels like an oven"),
        ("onset", "operation"),
    ),
    "noise": Symptom(
        "audible interference",
        ("emits audible interference", "produces a continuous tone", "generates acoustic disturbance"),
        ("buzzes all the time", "makes a horrible whining racket", "rattles and hums"),
    ),
    "calibration": Symptom(
        "calibration drift",
        ("reports inaccurate values", "deviates from the reference value", "fails the calibration test"),
        ("is way off with its numbers", "tells me the wrong figures", "gives readings I can't trust"),
    ),
    "intermittent": Symptom(
        "intermittent operation",
        ("operates intermittently", "suffers sporadic interruptions", "fails at irregular intervals"),
        ("keeps cutting out", "works only now and then", "comes and goes"),
    ),
    "drain": Symptom(
        "excessive consumption",
        ("draws excessive current", "exceeds the specified consumption", "consumes too much energy"),
        ("guzzles electricity", "eats power like mad", "drives up our electric bill"),
    ),
    "damage": Symptom(
        "surface damage",
        ("shows a visible fracture", "exhibits structural damage", "develops surface cracks"),
        ("is splitting open", "is breaking apart", "is crumbling to bits"),
        ("climate",),
    ),
    "moisture": Symptom(
        "condensation",
        ("shows condensation", "exhibits moisture ingress", "triggers the humidity sensor"),
        ("has water drops in it", "looks misty inside", "is soaking wet inside"),
        ("operation",),
    ),
    "distortion": Symptom(
        "distorted output",
        ("delivers distorted output", "reproduces content incorrectly", "generates artefacts"),
        ("is badly garbled", "comes out all scrambled", "gives everything warped"),
    ),
    "weak": Symptom(
        "insufficient output",
        ("delivers insufficient output", "falls below the nominal level", "operates at a reduced level"),
        ("is far too faint", "is very feeble", "has hardly any strength"),
    ),
    "install": Symptom(
        "installation failure",
        ("aborts the installation", "does not install", "returns an installation error"),
        ("can't be put on it at all", "stops halfway through loading", "won't load onto it"),
    ),
    "sync": Symptom(
        "synchronisation failure",
        ("does not synchronise", "presents outdated records", "omits recent changes"),
        ("shows last week's entries", "is missing my newest entries", "doesn't match what I see elsewhere"),
    ),
    "lockout": Symptom(
        "access denial",
        ("rejects valid credentials", "denies authorised access", "refuses authentication"),
        ("says my password is wrong", "won't let me in", "keeps me locked out"),
    ),
    "slow": Symptom(
        "reduced performance",
        ("performs below its rated speed", "responds with considerable delay", "shows increased latency"),
        ("is painfully slow", "takes forever", "crawls along"),
    ),
    "settings": Symptom(
        "configuration loss",
        ("reverts to its default configuration", "does not retain preferences", "discards stored parameters"),
        ("forgets everything I chose", "never remembers what I picked", "loses all my choices"),
    ),
    "crash": Symptom(
        "unexpected termination",
        ("terminates unexpectedly", "stops with a fatal exception", "closes during use"),
        ("keeps crashing", "shuts itself without warning", "dies on me in the middle of things"),
    ),
}
"""The symptoms by name."""
