"""What goes wrong: each problem in the help centre's terms, with causes and remedies, and in lay words.

``{part}`` stands for the part's official term and ``{device}`` for the device's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem: a noun without article; predicates, causes and remedies; lay predicates; whether it is damage."""

    noun: str
    states: tuple[str, str, str]
    causes: tuple[str, str, str]
    remedies: tuple[str, str, str]
    lay: tuple[str, str, str, str]
    physical: bool = False


PROBLEMS: dict[str, Problem] = {
    "detect": Problem(
        noun="detection failure",
        states=("is not detected", "is not recognised by the system", "does not appear in the inventory"),
        causes=(
            "Usually the {part} has lost its connection to the main board.",
            "An outdated driver prevents registration of the component.",
            "In most cases its identifier has been deleted from the registry.",
        ),
        remedies=(
            "Disconnect the supply, reseat the connector and repeat the hardware scan.",
            "Open the maintenance menu, select component search and confirm the new entry.",
            "Install the current driver and register the component on the {device} manually.",
        ),
        lay=("doesn't show up", "is nowhere to be found", "is missing from the list", "isn't detected"),
    ),
    "unresponsive": Problem(
        noun="unresponsiveness",
        states=("becomes unresponsive", "no longer reacts to input", "ceases to respond to commands"),
        causes=(
            "A blocked process is waiting for a confirmation that never arrives.",
            "The controller enters a protective state after repeated faults.",
            "Static electricity can interrupt communication with the {part}.",
        ),
        remedies=(
            "Hold the reset control for ten seconds and wait until the {device} restarts.",
            "Terminate all active tasks and launch the extended diagnostic routine.",
            "Discharge the {device} completely, reconnect it and perform a controlled restart.",
        ),
        lay=("has frozen", "does nothing at all", "ignores me completely", "won't respond"),
    ),
    "heat": Problem(
        noun="overheating",
        states=("overheats", "exceeds its operating temperature", "triggers a thermal warning"),
        causes=(
            "Obstructed ventilation openings are the most frequent cause.",
            "A permanently high load prevents the {part} from cooling down.",
            "The thermal limit was configured for another model.",
        ),
        remedies=(
            "Clear the ventilation openings and let the {device} rest for twenty minutes.",
            "Reduce the load in the energy menu and activate the cooling schedule.",
            "Restore the recommended thermal limit and inspect the seal for dust deposits.",
        ),
        lay=("gets burning hot", "is too hot to touch", "feels like an oven", "overheats quickly"),
    ),
    "noise": Problem(
        noun="audible interference",
        states=("emits audible interference", "produces a continuous tone", "generates acoustic disturbance"),
        causes=(
            "Insufficient shielding lets neighbouring equipment couple into the circuit.",
            "A loose fastening transmits vibration to the {part}.",
            "The frequency filter is disabled in the delivery state.",
        ),
        remedies=(
            "Increase the distance from other equipment and attach the supplied ferrite core.",
            "Tighten all visible fastenings and mount the {device} on a level base.",
            "Enable the frequency filter in the advanced menu and repeat the acoustic test.",
        ),
        lay=(
            "buzzes all the time",
            "makes a horrible whining racket",
            "crackles and hisses",
            "has terrible interference",
        ),
    ),
    "settings": Problem(
        noun="configuration loss",
        states=("reverts to its default configuration", "does not retain preferences", "discards stored parameters"),
        causes=(
            "The parameters are held in volatile storage until they are committed.",
            "A central policy overwrites local values at every start.",
            "The configuration file is write-protected or corrupted.",
        ),
        remedies=(
            "Select commit in the preferences menu before the {device} enters standby.",
            "Exclude the {device} from the central policy and apply the desired values again.",
            "Delete the configuration file, sign in as administrator and import a clean template.",
        ),
        lay=(
            "forgets everything I chose",
            "goes back to square one",
            "never remembers what I picked",
            "loses my preferences",
        ),
    ),
    "calibration": Problem(
        noun="calibration drift",
        states=("reports inaccurate values", "deviates from the reference value", "fails the calibration test"),
        causes=(
            "The reference table becomes inaccurate as the {part} ages.",
            "Calibration was skipped when the {device} was commissioned.",
            "Rapid changes in ambient conditions shift the measuring point.",
        ),
        remedies=(
            "Run the calibration assistant and compare the outcome with the data sheet.",
            "Load the current reference table and start a full measuring cycle.",
            "Allow the {device} to acclimatise, then recalibrate from the service menu.",
        ),
        lay=("is way off", "tells me nonsense", "can't be trusted any more", "shows inaccurate values"),
    ),
    "intermittent": Problem(
        noun="intermittent operation",
        states=("operates intermittently", "disconnects at irregular intervals", "is temporarily unavailable"),
        causes=(
            "An aggressive energy-saving profile suspends the component too early.",
            "Corroded contacts or competing signals interrupt the transmission.",
            "The session expires before it can be renewed.",
        ),
        remedies=(
            "Disable selective suspend in the energy menu and monitor the event log.",
            "Choose a less congested channel, renew the session and verify the transmission.",
            "Extend the session lifetime to twelve hours and restart the {device}.",
        ),
        lay=("keeps cutting out", "only works now and then", "comes and goes", "disconnects all the time"),
    ),
    "slow": Problem(
        noun="reduced performance",
        states=("performs below its rated speed", "responds with considerable delay", "shows increased latency"),
        causes=(
            "Temporary data accumulates and occupies the available capacity.",
            "Background indexing competes with the {part} for resources.",
            "The component is operating in compatibility mode.",
        ),
        remedies=(
            "Purge temporary data, compact the index and schedule a weekly cleanup.",
            "Postpone background indexing and assign a higher priority to the component.",
            "Leave compatibility mode, optimise the index and measure the throughput again.",
        ),
        lay=("is painfully slow", "takes forever", "crawls along", "responds very slowly"),
    ),
    "startup": Problem(
        noun="startup failure",
        states=("fails to initialise", "does not complete startup", "remains inactive at launch"),
        causes=(
            "An interrupted initialisation leaves the boot record incomplete.",
            "A conflicting extension blocks the start sequence.",
            "The stored boot image is no longer compatible with the {device}.",
        ),
        remedies=(
            "Start the {device} in recovery mode and select repair boot record.",
            "Deactivate every extension, perform a cold start and reactivate them individually.",
            "Write the latest boot image and observe the start sequence.",
        ),
        lay=("won't come on", "never gets going", "won't wake up", "hangs during startup"),
    ),
    "lockout": Problem(
        noun="access denial",
        states=("rejects valid credentials", "denies authorised access", "terminates authenticated sessions"),
        causes=(
            "Repeated failed attempts activate a temporary security lock.",
            "The access certificate has expired or was issued for another {device}.",
            "Two-step verification is bound to a number that is no longer valid.",
        ),
        remedies=(
            "Wait fifteen minutes, request a verification link and define new credentials.",
            "Renew the access certificate and authorise the {device} again.",
            "Ask an administrator to release the lock and update the number.",
        ),
        lay=("won't let me in", "says my password is wrong", "keeps throwing me out", "rejects my credentials"),
    ),
    "drain": Problem(
        noun="excessive consumption",
        states=(
            "draws excessive current in standby",
            "consumes energy while idle",
            "exceeds the specified consumption",
        ),
        causes=(
            "Permanent polling keeps the circuit active at all times.",
            "The standby controller of the {device} does not enter deep sleep.",
            "A faulty regulator increases the idle current of the {part}.",
        ),
        remedies=(
            "Lengthen the polling interval to one hour and enable deep sleep.",
            "Apply the energy patch and record the idle current for one day.",
            "Limit the component to scheduled activity and verify the energy report.",
        ),
        lay=(
            "eats power like mad",
            "runs everything flat by morning",
            "guzzles electricity",
            "consumes too much energy",
        ),
    ),
    "damage": Problem(
        noun="surface damage",
        states=("shows a visible fracture", "exhibits structural damage", "is mechanically deformed"),
        causes=(
            "Mechanical stress beyond the specification weakens the material.",
            "Uneven mounting puts tension on the {part}.",
            "Aggressive cleaning agents make the surface brittle.",
        ),
        remedies=(
            "Photograph the affected area of the {device} and file a repair request.",
            "Order the replacement kit and exchange the component as illustrated.",
            "Secure loose fragments and send the {device} to an authorised workshop.",
        ),
        lay=("is cracked", "has split", "has a big dent", "has surface damage"),
        physical=True,
    ),
    "moisture": Problem(
        noun="condensation",
        states=("shows condensation beneath its cover", "exhibits moisture ingress", "triggers the humidity sensor"),
        causes=(
            "Sudden temperature differences cause vapour to settle inside.",
            "A worn gasket no longer protects the {part}.",
            "Liquid has entered through a port that was not covered.",
        ),
        remedies=(
            "Switch the {device} off and dry it for two days.",
            "Replace the gasket, insert a fresh desiccant sachet and close all covers.",
            "Remove the cover and leave the {device} unpowered until it is dry.",
        ),
        lay=("has gone foggy", "has water in it", "looks misty inside", "is full of condensation"),
        physical=True,
    ),
    "distortion": Problem(
        noun="distorted output",
        states=("delivers distorted output", "reproduces content incorrectly", "generates artefacts"),
        causes=(
            "The output format does not match the capability of the {part}.",
            "Electromagnetic influence alters the signal between source and component.",
            "An enhancement filter is applied twice in the processing chain.",
        ),
        remedies=(
            "Select the native output format and disable every enhancement filter.",
            "Replace the signal cable with a shielded one and repeat the output test.",
            "Reset the processing chain in the media menu and choose the neutral preset.",
        ),
        lay=("comes out garbled", "is all fuzzy", "has gone weird and wavy", "is badly distorted"),
    ),
    "weak": Problem(
        noun="insufficient output",
        states=("operates at a reduced level", "delivers insufficient output", "falls below the nominal level"),
        causes=(
            "The output limiter is active in the delivery state.",
            "Deposits on the surface attenuate the {part}.",
            "Ageing components reach only part of their nominal level.",
        ),
        remedies=(
            "Raise the output limiter and confirm with the administrator code.",
            "Clean the surface with a dry microfibre cloth and repeat the level measurement.",
            "Activate boost mode or exchange the component for a new one.",
        ),
        lay=("is far too faint", "is very feeble", "hardly comes through", "has hardly any output"),
    ),
    "install": Problem(
        noun="incomplete installation",
        states=("aborts the installation", "does not install", "returns an installation error"),
        causes=(
            "The package signature cannot be verified without a secure connection.",
            "Insufficient free capacity stops the installer before completion.",
            "A previous version was not removed entirely.",
        ),
        remedies=(
            "Free two gigabytes, download the package again and verify its signature.",
            "Remove the previous version with the cleanup utility and restart the installer.",
            "Copy the offline package to the {device} and execute it with administrator rights.",
        ),
        lay=("gets stuck halfway", "won't go on", "never finishes loading", "gives an installation error"),
    ),
    "sync": Problem(
        noun="synchronisation failure",
        states=("does not synchronise", "presents outdated records", "omits recent changes"),
        causes=(
            "Conflicting time stamps suspend the synchronisation queue.",
            "Selective synchronisation excludes part of the records.",
            "The exchange quota of the {device} is exhausted.",
        ),
        remedies=(
            "Correct the system clock, clear the queue and initiate a manual synchronisation.",
            "Include all folders in selective synchronisation and resolve the reported conflicts.",
            "Increase the exchange quota in the service portal and request a full comparison.",
        ),
        lay=(
            "doesn't match my other gadgets",
            "shows old stuff",
            "is missing my newest files",
            "won't synchronise",
        ),
    ),
    "pairing": Problem(
        noun="pairing failure",
        states=("rejects pairing requests", "does not establish a link", "aborts the handshake"),
        causes=(
            "The list of trusted partners is full and accepts no entry.",
            "Both sides expect a different version of the security protocol.",
            "The {device} is not visible outside the pairing window.",
        ),
        remedies=(
            "Erase the list of trusted partners and open a new pairing window.",
            "Set the security protocol to automatic on both sides and repeat the handshake.",
            "Bring both closer together, activate visibility and confirm the numeric code.",
        ),
        lay=("won't talk to my phone", "refuses to join up", "can't find its partner", "fails at pairing"),
    ),
}
