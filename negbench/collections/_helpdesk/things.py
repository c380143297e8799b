"""The vendor's devices and their parts, in the help centre's terms and in a customer's lay words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A part, singular: two official terms, two lay words, its possible problems, whether one can touch it."""

    terms: tuple[str, str]
    lay: tuple[str, str]
    problems: tuple[str, ...]
    tangible: bool = True


@dataclass(frozen=True, slots=True)
class Device:
    """A kind of device: its official term and plural, two lay words, the parts it has."""

    term: str
    plural: str
    lay: tuple[str, str]
    parts: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PARTS: dict[str, Part] = {
    "battery": Part(
        ("battery", "battery pack"), ("battery", "power cell"), _words("detect heat calibration drain damage weak")
    ),
    "adapter": Part(
        ("power adapter", "mains adapter"),
        ("charger", "adapter"),
        _words("detect heat noise intermittent damage drain"),
    ),
    "display": Part(
        ("display", "display panel"),
        ("screen", "display"),
        _words("unresponsive distortion weak calibration damage moisture startup"),
    ),
    "keypad": Part(
        ("keypad", "keypad unit"),
        ("button", "keypad"),
        _words("unresponsive intermittent damage moisture slow settings"),
    ),
    "loudspeaker": Part(
        ("loudspeaker", "loudspeaker assembly"),
        ("speaker", "loudspeaker"),
        _words("noise distortion weak intermittent damage detect"),
    ),
    "microphone": Part(
        ("microphone", "microphone array"),
        ("mic", "microphone"),
        _words("noise distortion weak detect intermittent"),
    ),
    "optics": Part(
        ("optical unit", "imaging module"),
        ("lens", "glass eye"),
        _words("distortion moisture calibration damage startup detect"),
    ),
    "wireless": Part(
        ("wireless module", "wireless radio"),
        ("wifi", "wireless"),
        _words("detect intermittent slow weak pairing heat settings drain"),
    ),
    "bluetooth": Part(
        ("Bluetooth interface", "Bluetooth transceiver"),
        ("bluetooth", "cordless link"),
        _words("pairing intermittent detect drain slow"),
    ),
    "memory": Part(
        ("memory card", "storage card"), ("memory stick", "little card"), _words("detect slow lockout heat damage")
    ),
    "firmware": Part(
        ("firmware", "embedded system"),
        ("software", "system"),
        _words("install slow settings startup unresponsive drain"),
        tangible=False,
    ),
    "application": Part(
        ("companion application", "mobile client"),
        ("app", "mobile app"),
        _words("install sync lockout startup unresponsive pairing slow settings"),
        tangible=False,
    ),
    "archive": Part(
        ("cloud archive", "remote archive"),
        ("backup", "cloud copy"),
        _words("sync slow lockout settings intermittent"),
        tangible=False,
    ),
    "profile": Part(
        ("user profile", "account profile"), ("login", "account"), _words("lockout sync settings slow"), tangible=False
    ),
    "housing": Part(("housing", "enclosure"), ("case", "housing"), _words("damage moisture heat noise")),
    "indicator": Part(
        ("status indicator", "signal lamp"),
        ("little light", "signal light"),
        _words("weak unresponsive calibration startup intermittent"),
    ),
}

DEVICES: tuple[Device, ...] = (
    Device(
        "printer",
        "printers",
        ("printer", "printing machine"),
        _words("adapter display keypad wireless memory firmware application profile housing indicator"),
    ),
    Device(
        "router",
        "routers",
        ("router", "broadband box"),
        _words("adapter wireless firmware application profile housing indicator"),
    ),
    Device(
        "tablet",
        "tablets",
        ("tablet", "touchscreen slate"),
        _words("battery adapter display loudspeaker microphone optics wireless bluetooth memory archive profile"),
    ),
    Device(
        "notebook",
        "notebooks",
        ("laptop", "computer"),
        _words("battery adapter display keypad loudspeaker microphone wireless bluetooth memory firmware archive"),
    ),
    Device(
        "doorbell",
        "doorbells",
        ("doorbell", "door ringer"),
        _words("battery keypad loudspeaker microphone optics wireless application archive housing indicator"),
    ),
    Device(
        "thermostat",
        "thermostats",
        ("thermostat", "heating dial"),
        _words("battery display keypad wireless firmware application profile housing"),
    ),
    Device(
        "headset",
        "headsets",
        ("headset", "headphone set"),
        _words("battery adapter keypad loudspeaker microphone bluetooth firmware application indicator"),
    ),
    Device(
        "security camera",
        "security cameras",
        ("camera", "spy cam"),
        _words("battery adapter microphone optics wireless memory firmware application archive housing indicator"),
    ),
    Device(
        "smartwatch",
        "smartwatches",
        ("watch", "wrist gadget"),
        _words("battery adapter display loudspeaker microphone bluetooth application archive profile"),
    ),
    Device(
        "scanner",
        "scanners",
        ("scanner", "copying machine"),
        _words("adapter display keypad optics wireless memory firmware application archive"),
    ),
    Device(
        "projector",
        "projectors",
        ("projector", "film beamer"),
        _words("adapter keypad optics loudspeaker wireless bluetooth memory firmware housing indicator"),
    ),
    Device(
        "e-reader",
        "e-readers",
        ("e-reader", "book gadget"),
        _words("battery adapter display wireless bluetooth memory firmware archive profile housing"),
    ),
)

_FIRST = _words(
    "Al Bel Bram Cal Cor Dal Del Dor El Fal Fen Gal Gar Hal Hol Il Jor Kel Kor Lan Lor Mar Mel Mor Nel Nor "
    "Or Pel Quin Ral Ren Sel Sol Tal Tor Ul Val Ver Wen Zel"
)
_SECOND = _words(
    "adin ambra anto arix asto avel awick edra elio emar enko erra esto evik iba icor idan ifex ilo imor "
    "indra iro iska ivar izen oba ocan odis olex omir onda opal orin osta otis ovan oxa udo ulen umbra unis "
    "uro usk utan uvo"
)


def product_name(index: int) -> str:
    """Return the invented one-word name with this number; beyond the combinations of syllables a digit follows."""
    again, index = divmod(index, NAMES)
    first, second = divmod(index, len(_SECOND))
    return f"{_FIRST[first]}{_SECOND[second]}{again + 1 if again else ''}"


NAMES = len(_FIRST) * len(_SECOND)
"""How many names there are before digits are needed."""
