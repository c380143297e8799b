"""The vendor's devices and their parts, in the help centre's terms and in a customer's lay words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a device, singular: official terms, lay words, and the symptoms that it can show."""

    terms: tuple[str, str]
    lay: tuple[str, ...]
    symptoms: tuple[str, ...]
    software: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """A kind of device: official term, lay words, and the parts that it has."""

    term: str
    lay: tuple[str, ...]
    parts: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PARTS: Final[dict[str, Part]] = {
    "battery": Part(
        ("battery", "battery pack"),
        ("power cell", "juice pack"),
        _words("detect heat calibration damage intermittent"),
    ),
    "adapter": Part(
        ("power adapter", "mains adapter"),
        ("charger", "charging brick"),
        _words("detect heat noise damage drain intermittent"),
    ),
    "display": Part(
        ("display", "display panel"),
        ("screen", "readout"),
        _words("unresponsive distortion weak damage moisture intermittent"),
    ),
    "keypad": Part(
        ("keypad", "keypad unit"),
        ("button pad", "set of buttons"),
        _words("unresponsive damage moisture detect intermittent"),
    ),
    "loudspeaker": Part(
        ("loudspeaker", "loudspeaker assembly"),
        ("speaker", "sound box"),
        _words("distortion weak detect damage intermittent"),
    ),
    "microphone": Part(
        ("microphone", "microphone array"),
        ("mic", "voice pick-up"),
        _words("distortion weak detect intermittent"),
    ),
    "optics": Part(
        ("optical unit", "imaging module"),
        ("lens",),
        _words("distortion moisture damage detect"),
    ),
    "wireless": Part(
        ("wireless module", "WLAN interface"),
        ("wifi", "wi-fi"),
        _words("detect intermittent weak heat drain"),
    ),
    "memory": Part(
        ("memory card", "storage card"),
        ("SD chip", "data chip"),
        _words("detect heat damage intermittent"),
    ),
    "indicator": Part(
        ("status indicator", "signal lamp"),
        ("little light", "LED"),
        _words("weak unresponsive intermittent moisture"),
    ),
    "housing": Part(
        ("housing", "enclosure"),
        ("outer shell", "plastic case"),
        _words("damage moisture noise heat"),
    ),
    "sensor": Part(
        ("motion sensor", "presence detector"),
        ("movement spotter", "people spotter"),
        _words("calibration detect moisture intermittent drain damage"),
    ),
    "fan": Part(
        ("cooling fan", "ventilator"),
        ("blower", "propeller"),
        _words("noise heat unresponsive intermittent drain damage"),
    ),
    "application": Part(
        ("companion application", "mobile client"),
        ("app", "helper program"),
        _words("install sync lockout slow settings crash"),
        software=True,
    ),
    "firmware": Part(
        ("firmware", "embedded system"),
        ("built-in software", "on-board software"),
        _words("install slow settings crash"),
        software=True,
    ),
    "archive": Part(
        ("cloud archive", "remote archive"),
        ("online backup", "web copy"),
        _words("sync lockout slow settings crash"),
        software=True,
    ),
    "scheduler": Part(
        ("scheduling service", "timer service"),
        ("weekly planner", "alarm planner"),
        _words("sync lockout slow settings crash"),
        software=True,
    ),
}

_ALL = "application firmware archive scheduler"

DEVICES: Final = (
    Device(
        "printer",
        ("inkjet", "laser jet"),
        _words(f"adapter display keypad wireless memory housing indicator fan {_ALL}"),
    ),
    Device(
        "router", ("broadband box", "internet box"), _words(f"adapter display wireless housing indicator fan {_ALL}")
    ),
    Device(
        "tablet",
        ("touchscreen slate", "slate"),
        _words(f"battery adapter display loudspeaker microphone optics wireless memory housing {_ALL}"),
    ),
    Device(
        "notebook",
        ("laptop", "portable computer"),
        _words(f"battery adapter display keypad loudspeaker microphone optics wireless memory housing fan {_ALL}"),
    ),
    Device(
        "doorbell",
        ("door chime", "front-door buzzer"),
        _words(f"battery keypad loudspeaker microphone optics wireless housing indicator sensor {_ALL}"),
    ),
    Device(
        "thermostat",
        ("heating controller", "heating dial"),
        _words(f"battery display keypad wireless housing indicator sensor {_ALL}"),
    ),
    Device(
        "headset",
        ("headphones set", "earphones set"),
        _words(f"battery adapter keypad loudspeaker microphone wireless housing indicator {_ALL}"),
    ),
    Device(
        "security camera",
        ("surveillance cam", "CCTV cam"),
        _words(f"battery adapter loudspeaker microphone optics wireless memory housing indicator sensor {_ALL}"),
    ),
    Device(
        "smartwatch",
        ("wrist computer", "fitness wristband"),
        _words(f"battery adapter display loudspeaker microphone wireless housing sensor {_ALL}"),
    ),
    Device(
        "projector",
        ("beamer", "home-cinema beamer"),
        _words(f"adapter keypad optics loudspeaker wireless memory housing indicator fan {_ALL}"),
    ),
    Device(
        "e-reader",
        ("e-book gadget", "digital book"),
        _words(f"battery adapter display wireless memory housing keypad {_ALL}"),
    ),
    Device(
        "vacuum robot",
        ("robot hoover", "self-driving hoover"),
        _words(f"battery adapter loudspeaker optics wireless housing indicator sensor fan {_ALL}"),
    ),
    Device(
        "espresso machine",
        ("coffee maker", "coffee brewer"),
        _words(f"display keypad wireless housing indicator sensor fan {_ALL}"),
    ),
    Device(
        "washing machine",
        ("washer", "laundry washer"),
        _words(f"display keypad loudspeaker wireless housing indicator sensor fan {_ALL}"),
    ),
    Device(
        "door lock",
        ("electronic latch", "keyless latch"),
        _words(f"battery keypad loudspeaker microphone optics wireless housing indicator sensor {_ALL}"),
    ),
)
"""The kinds of device."""
