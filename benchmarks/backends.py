"""Encoding by what sentence-transformers can hand a model to: torch compiled or in int8, OpenVINO, ONNX Runtime.

``pip install openvino nncf onnx onnxruntime`` installs the others; a side whose package is absent is left out. Each
model is converted here: optimum-intel 2.2 and optimum-onnx 0.1, by which sentence-transformers would do it, want older
transformers than negbench. All sides but the first read negbench's chunks of texts of like length. int8: OpenVINO
rounds activations as texts for calibration need it, the others as each batch does. The fastest of these also encodes
the whole corpus.

The question is about CPUs without bfloat16 units; ``only_avx2.c`` makes one out of another.
"""

from __future__ import annotations

import os

os.environ.setdefault("TQDM_DISABLE", "1")

import copy
import shutil
import statistics
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import compare
from benchmarks.encoding import OURS, PEER, ndcg
from negbench.encoders import encode as encoding
from negbench.encoders.load import build
from negbench.encoders.precision import resolve
from negbench.encoders.spec import EncoderSpec
from negbench.encoders.tokens import Side, batches, tokenised
from negbench.types import Float32

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
Call = Callable[..., Any]
"""From INPUTS, each a tensor [texts, length], to vectors [texts, dimension] of length 1."""


class Vectors(torch.nn.Module):
    """An encoder as one function of tensors, which can be traced."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
        inputs = dict(zip(INPUTS, (input_ids, attention_mask, token_type_ids), strict=True))
        return encoding.compared(self.model, encoding.vectors_of(self.model, inputs))


def encoded(model: Any, call: Call, texts: list[str], side: Side = "document") -> Float32:
    """Encode as negbench does, by ``call``."""
    tokens = tokenised(model, texts, side)
    rows = np.zeros((len(tokens), model.get_embedding_dimension()), np.float32)
    with torch.inference_mode():
        for some, inputs in batches(tokens, model):
            rows[some] = call(*(inputs[name] for name in INPUTS))
    return rows


def example(model: Any, texts: list[str]) -> tuple[Any, ...]:
    """Return two texts as INPUTS."""
    inputs = tokenised(model, texts[:2], "document").padded(np.arange(2), model)
    return tuple(inputs[name] for name in INPUTS)


def torch_calls(model: Any) -> dict[str, Call]:
    """Return torch's own ways: compiled, and with linear layers in int8."""
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    calls = {"torch int8": quantize_dynamic(Vectors(model), {torch.nn.Linear: per_channel_dynamic_qconfig})}
    if shutil.which("g++"):
        calls["torch.compile"] = torch.compile(Vectors(model), dynamic=True)
    return calls


def openvino_calls(model: Any, texts: list[str]) -> dict[str, Call]:
    """Return OpenVINO's compiled models in float32, and in int8, calibrated on ``texts``."""
    import nncf
    import openvino

    def compiled(graph: Any) -> Call:
        settings = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "INFERENCE_PRECISION_HINT": "f32"}
        ready = openvino.Core().compile_model(graph, "CPU", settings)
        return lambda *inputs: ready([it.numpy() for it in inputs])[0]

    graph = openvino.convert_model(Vectors(model), example_input=example(model, texts))
    rows = [[it.numpy() for it in example(model, texts[row : row + 2])] for row in range(0, len(texts) - 1, 2)]
    small = nncf.quantize(graph, nncf.Dataset(rows), model_type=nncf.ModelType.TRANSFORMER)
    return {"OpenVINO": compiled(graph), "OpenVINO int8": compiled(small)}


def onnx_calls(model: Any, texts: list[str], folder: Path) -> dict[str, Call]:
    """Return ONNX Runtime's sessions in float32, with embeddings and attention fused, and in int8."""
    import onnx
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.optimizer import optimize_model

    def session(path: Path) -> Call:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        ready = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda *inputs: ready.run(None, {name: it.numpy() for name, it in zip(INPUTS, inputs, strict=True)})[0]

    model = copy.deepcopy(model)
    model[0].auto_model.set_attn_implementation("eager")  # the one that the fusion knows
    config = model[0].auto_model.config
    plain, fused, small = (folder / f"{name}.onnx" for name in ("plain", "fused", "int8"))
    axes = {name: {0: "texts", 1: "length"} for name in INPUTS}
    torch.onnx.export(
        Vectors(model), example(model, texts), plain, input_names=list(INPUTS), output_names=["vectors"],
        dynamic_axes=axes | {"vectors": {0: "texts"}}, dynamo=False,
    )  # fmt: skip
    optimize_model(
        str(plain), "bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size, opt_level=2
    ).save_model_to_file(str(fused))
    quantize_dynamic(
        fused, small, per_channel=True, reduce_range=True,  # 7 bits: without VNNI, sums of 8 overflow
        weight_type=QuantType.QInt8, extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )  # fmt: skip
    return {"ONNX Runtime": session(fused), "ONNX Runtime int8": session(small)}


def main() -> None:
    """Run the comparison."""
    args = compare.arguments(__doc__ or "", rounds=3)
    collection = compare.collection("helpdesk(articles=100, queries=30)" if args.small else args.collection)
    spec = EncoderSpec(model="all-MiniLM-L6-v2", keep_layers=1 if args.small else None)
    model = build(spec, 0).eval()
    passages = collection.passages()
    most = 16 if args.small else 96
    some = passages[:: max(1, len(passages) // most)][:most]
    calls = torch_calls(model)
    with tempfile.TemporaryDirectory() as folder:
        if find_spec("openvino") and find_spec("nncf"):
            calls |= openvino_calls(model, passages[: most // 2])
        if find_spec("onnxruntime") and find_spec("onnx"):
            calls |= onnx_calls(model, some, Path(folder))
    sides: dict[str, Callable[[], Float32]] = {
        PEER: lambda: model.encode(some, normalize_embeddings=True),
        OURS: lambda: encoding.encode(model, some, "document", resolve("auto")),
    }
    sides |= {name: lambda call=call: encoded(model, call, some) for name, call in calls.items()}
    timed = compare.in_turn(sides, 1 if args.small else args.rounds)
    fastest = min(calls, key=lambda name: statistics.median(timed.seconds[name]))
    queries = [collection.queries[row] for row in collection.split_queries("test")]
    vectors = encoded(model, calls[fastest], queries, "query"), encoded(model, calls[fastest], passages)
    quality = ndcg(*vectors, collection)
    masked = "only_avx2" in os.environ.get("LD_PRELOAD", "")
    compare.report(
        "backends",
        f"encoding {len(some)} documents, the fastest other backend: {fastest}",
        "at least 2x",
        timed,
        PEER,
        fastest,
        lambda found: found["median"] >= 2,
        {
            f"nDCG@10, whole corpus, {fastest}": round(quality, 4),
            "processor seconds, the peer's over a side's": {
                name: round(compare.ratio(timed.processor[PEER], seconds)["median"], 2)
                for name, seconds in timed.processor.items()
            },
            "smallest cosine of an embedding with the peer's": {
                name: round(float((timed.returned[PEER] * rows).sum(axis=1).min()), 4)
                for name, rows in timed.returned.items()
            },
        },
        {
            "collection": collection.name,
            "encoder": spec.spelling,
            "max_length": model.max_seq_length,
            "negbench's precision": resolve("auto"),
            "instructions": "AVX2 at most, by only_avx2.c" if masked else "all that the CPU has",
        },
        [(f"{PEER} / {name}", PEER, name) for name in sides if name not in (PEER, fastest)]
        + [(f"{OURS} / {fastest}", OURS, fastest)],
        ["where other processes run beside, processor seconds of one thread spread less than seconds"],
    )


if __name__ == "__main__":
    main()
