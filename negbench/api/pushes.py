"""Upload an encoder to a model hub."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from negbench.api.runs import Results
from negbench.errors import InputError


def push_model(model: Results | str | PathLike[str], repository: str, *, private: bool = True) -> str:
    """Upload the best encoder of a run, or the encoder in a folder, to a hub repository, and return its address.

    The repository, ``owner/name``, is made where it is missing, ``private`` by default. Nothing is ever uploaded
    otherwise. Raises InputError where there is not just one encoder, and for what the hub answers.

    >>> negbench.push_model("garden", "owner/name")
    Traceback (most recent call last):
    negbench.errors.InputError: garden: expected the folder of an encoder, with modules.json
    """
    folder = _folder(model)
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    hub = HfApi()
    try:
        hub.create_repo(repository, private=private, exist_ok=True)
        return str(hub.upload_folder(repo_id=repository, folder_path=folder, commit_message="Encoder of negbench"))
    except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{repository}: {folder} could not be uploaded: {reason}; check the name, the network and HF_TOKEN"
        ) from error


def check_push(repository: str, models: str) -> None:
    """Raise InputError for what ``push_model`` would be refused after a run that keeps ``models``; asks no server."""
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    if models == "none":
        raise InputError("--push: uploads the best encoder, and --models none keeps none; leave --models out")
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"--push {repository}: {reason}; expected owner/name") from error
    if constants.HF_HUB_OFFLINE:
        raise InputError(f"--push {repository}: HF_HUB_OFFLINE is set, so nothing is uploaded; set it to 0")
    if get_token() is None:
        raise InputError(f"--push {repository}: there is no token of the hub; set HF_TOKEN, or call `hf auth login`")


def _folder(model: Results | str | PathLike[str]) -> Path:
    if not isinstance(model, Results):
        if not (Path(model) / "modules.json").is_file():
            raise InputError(f"{model}: expected the folder of an encoder, with modules.json")
        return Path(model)
    best = [folder for folder in model.models if "best" in folder.relative_to(model.path).parts]
    if len(best) != 1:
        raise InputError(f"{model.path}: has {len(best)} best encoders to upload, expected one; give a folder")
    return best[0]
