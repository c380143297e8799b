"""What an encoder's files say about it, read without torch and before anything is loaded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from negbench import plain_values, user_files
from negbench.encoders import weights
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError

Similarity = Literal["cosine", "dot"]

_OF_OTHERS = {"BoW": "bags of words", "CNN": "a CNN, whose vectors depend on padding", "LSTM": "an LSTM"}
"""Modules of sentence-transformers that cannot be loaded here, and what their models are."""

_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "*.tiktoken")

_WITHOUT_VOCABULARY = ("ByT5Tokenizer", "CanineTokenizer", "PerceiverTokenizer")
"""Tokenizers that read bytes or characters."""


def similarity_of(spec: EncoderSpec) -> Similarity:
    """Return how the encoder's vectors are compared: as the spec says, else as the model's own files do, else cosine.

    Needs no torch. Raises InputError where the model names another similarity (euclidean, manhattan).
    """
    if spec.similarity is not None:
        return spec.similarity
    own = _settings(spec).get("similarity_fn_name") or "cosine"
    if own not in ("cosine", "dot"):
        raise InputError(
            f"encoder {spec.spelling}: scores by {own} distance, and only dot products and cosines are searched for; "
            "add similarity=dot or similarity=cosine to score it so"
        )
    return "dot" if own == "dot" else "cosine"


def check(spec: EncoderSpec) -> None:
    """Raise InputError for a model that its files show to be one that cannot be used here.

    Of a hub model only what its settings say is looked at; the rest is checked when it is loaded.
    """
    similarity_of(spec)
    if spec.attention == "flash_attention_2" and find_spec("flash_attn") is None:
        raise InputError(
            f"encoder {spec.spelling}: flash attention needs the package flash-attn, which is not installed; leave out "
            "attention, or give attention=sdpa"
        )
    kind = "CrossEncoder" if _is_a_reranker(spec) else _settings(spec).get("model_type", "SentenceTransformer")
    if kind != "SentenceTransformer":
        raise InputError(
            f"encoder {spec.spelling}: is a {kind}, not a model that gives each text one vector; give a bi-encoder"
        )
    cut = _settings(spec).get("truncate_dim")
    if cut is not None and (isinstance(cut, bool) or not isinstance(cut, int) or cut < 1):
        raise InputError(
            f"encoder {spec.spelling}: its vectors are to be cut to {cut!r:.40} dimensions (truncate_dim of "
            "config_sentence_transformers.json); expected a whole number of at least 1, or null"
        )
    _refuse_code(spec)
    place = weights.locate(spec.model)
    if isinstance(place, Path):
        if spec.revision is not None and user_files.is_folder(Path(spec.model)):
            raise InputError(
                f"encoder {spec.spelling}: revision is a commit of a hub repository, and {spec.model} is a folder; "
                "leave revision out, or give a hub id"
            )
        check_folder(place, spec.spelling)
    _check_layers(spec)


def _is_a_reranker(spec: EncoderSpec) -> bool:
    """Return whether a checkpoint of transformers has a head with one output over pairs, as cross-encoders do.

    Those that sentence-transformers saved before it said what a model is are told by nothing else.
    """
    config = read_json(spec, "config.json", {})
    heads = [str(name) for name in config.get("architectures") or []]
    outputs = config.get("id2label", config.get("num_labels"))
    single = outputs == 1 or (isinstance(outputs, dict) and len(outputs) == 1)
    of_pairs = single and any(head.endswith("ForSequenceClassification") for head in heads)
    return of_pairs and read_json(spec, "modules.json", None) is None


def _check_layers(spec: EncoderSpec) -> None:
    """Raise InputError where the spec keeps or draws afresh more layers than the model's files say there are."""
    there = layers_of(spec)
    for name, wanted in (("keep_layers", spec.keep_layers or 0), ("reinit_layers", spec.reinit_layers)):
        if there is not None and wanted > there:
            raise InputError(f"encoder {spec.spelling}: {name}={wanted}, but it has {there} layers; give fewer")
        there = wanted or there


def layers_of(spec: EncoderSpec) -> int | None:
    """Return the number of layers of the encoder's transformer; None where its files do not tell."""
    modules = read_json(spec, "modules.json", [])
    paths = [str(module.get("path", "")) for module in modules if str(module.get("type", "")).endswith(".Transformer")]
    config = read_json(spec, f"{(paths or [''])[0]}/config.json".lstrip("/"), {})
    return next((count for name in _LAYERS if isinstance(count := config.get(name), int)), None)


_LAYERS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")
"""Names that architectures have for their number of layers."""


def _refuse_code(spec: EncoderSpec) -> None:
    """Raise InputError for a model with modules or an architecture of its own, whose code would have to be run."""
    own = [str(module.get("type", "")) for module in read_json(spec, "modules.json", [])]
    own = [kind for kind in own if not kind.startswith("sentence_transformers.")]
    config = read_json(spec, "config.json", {})
    if not own and "auto_map" in config:
        from transformers import CONFIG_MAPPING

        architecture = str(config.get("model_type"))
        own = [] if architecture in CONFIG_MAPPING else [architecture]
    if own:
        raise InputError(
            f"encoder {spec.spelling}: needs code that comes with the model ({own[0]}), and no remote code is run; "
            "give a model that sentence-transformers and transformers know"
        )


def check_folder(folder: Path, name: str) -> None:
    """Raise InputError where the folder of the encoder ``name`` lacks files or has some that are not read."""
    files = user_files.files_below(folder, "an encoder")
    if any(path.name == "adapter_config.json" for path in files):
        raise InputError(
            f"encoder {name}: holds an adapter (peft) without the model it belongs to; merge the two with peft's "
            "merge_and_unload, save the result and give that folder"
        )
    for path in [path for path in files if path.name == "pytorch_model.bin"]:
        if not list(path.parent.glob("*.safetensors")):
            raise InputError(
                f"encoder {name}: {path.relative_to(folder)} holds pickled weights, which are not read; save them as "
                "safetensors"
            )
    for module in _json(folder / "modules.json", []):
        kind = str(module.get("type", "")).rpartition(".")[2]
        if kind in _OF_OTHERS:
            raise InputError(
                f"encoder {name}: is made of {_OF_OTHERS[kind]}, which is not supported; give another model"
            )
    for path in [path for path in files if path.name == "config.json"]:
        beside = path.parent
        if "model_type" not in _json(path, {}) or not list(beside.glob("*.safetensors")):
            continue
        settings = _json(beside / "tokenizer_config.json", {})
        has_vocabulary = any(list(beside.glob(pattern)) for pattern in _VOCABULARIES)
        if not has_vocabulary and settings.get("tokenizer_class") not in _WITHOUT_VOCABULARY:
            raise InputError(
                f"encoder {name}: has no tokenizer; expected one of {', '.join(_VOCABULARIES)} in {beside}"
            )


def snapshot(spec: EncoderSpec) -> Path | None:
    """Return the folder that holds the model's files, which must have been loaded; None where it cannot be told."""
    from huggingface_hub import try_to_load_from_cache

    place = weights.locate(spec.model)
    if isinstance(place, Path):
        return place
    cached = try_to_load_from_cache(place, "config.json", revision=weights.commit(place, spec.revision))
    return Path(cached).parent if isinstance(cached, str) else None


def _settings(spec: EncoderSpec) -> dict[str, Any]:
    """Return what ``config_sentence_transformers.json`` says; nothing where there is none."""
    return dict(read_json(spec, "config_sentence_transformers.json", {}))


def read_json(spec: EncoderSpec, name: str, otherwise: Any) -> Any:
    """Return what a JSON file of the model says, downloaded for a hub model; ``otherwise`` where there is none."""
    place = weights.locate(spec.model)
    if isinstance(place, Path):
        return _json(place / name, otherwise)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        path = hf_hub_download(place, name, revision=weights.commit(place, spec.revision))
    except (EntryNotFoundError, LocalEntryNotFoundError):
        return otherwise
    return _json(Path(path), otherwise)


def _json(path: Path, otherwise: Any) -> Any:
    if not user_files.is_there(path):
        return otherwise
    found = plain_values.json_file(path, "a JSON file of the encoder", strict=False)
    if otherwise is not None and type(found) is not type(otherwise):
        expected = "a list of objects" if isinstance(otherwise, list) else "an object {...}"
        raise InputError(f"{path}: expected {expected}, found {found!r:.60}; save the model again")
    if isinstance(found, list) and not all(isinstance(one, dict) for one in found):
        raise InputError(f"{path}: expected a list of objects, found {found!r:.60}; save the model again")
    return found
