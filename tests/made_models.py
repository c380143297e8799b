"""Small models of many layouts, with random weights, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Router
from sentence_transformers.sentence_transformer.modules import (
    LayerNorm,
    Normalize,
    Pooling,
    StaticEmbedding,
    Transformer,
    WordEmbeddings,
)
from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    Gemma3TextConfig,
    Gemma3TextModel,
    GPT2Config,
    GPT2Model,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedModel,
    Qwen3Config,
    Qwen3Model,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5EncoderModel,
)

PROMPTS = {"query": "how often must i ", "document": "soil "}
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


class Maker:
    """Makes models in ``folder`` whose tokenizer is that of ``bert``, a folder with a BERT 32 wide."""

    def __init__(self, folder: Path, bert: Path) -> None:
        self.folder, self.bert = folder, bert
        self.count = 0

    def place(self) -> Path:
        """Return a new folder."""
        self.count += 1
        return self.folder / str(self.count)

    def base(self, model: PreTrainedModel, dtype: torch.dtype | None = None, **tokenizer: Any) -> Path:
        """Save a transformer and its tokenizer."""
        place = self.place()
        (model if dtype is None else model.to(dtype)).save_pretrained(place)
        reader = AutoTokenizer.from_pretrained(self.bert)
        for name, value in tokenizer.items():
            setattr(reader, name, value)
        reader.save_pretrained(place)
        return place

    def words(self) -> int:
        """Return the size of the vocabulary."""
        return len(AutoTokenizer.from_pretrained(self.bert))

    def of(self, *modules: Any, **settings: Any) -> Path:
        """Save a sentence-transformers model."""
        place = self.place()
        model = SentenceTransformer(modules=list(modules), device="cpu", **settings)
        model.save_pretrained(str(place), create_model_card=False)
        return place

    def pooled(self, mode: Any, base: Path | None = None, **settings: Any) -> Path:
        """Save a transformer with a pooling and nothing behind it."""
        return self.of(Transformer(str(base or self.bert)), Pooling(32, mode), **settings)

    def second(self, positions: int = 128) -> Path:
        """Save another BERT."""
        return self.base(BertModel(self.config(max_position_embeddings=positions)), model_max_length=positions)

    def config(self, **changed: Any) -> BertConfig:
        """Return the configuration of a small BERT."""
        return BertConfig(**{"vocab_size": self.words(), "initializer_range": 0.15, **SIZES, **changed})

    def rotary(self, **changed: Any) -> dict[str, Any]:
        """Return what the configurations of small models with rotary positions have in common."""
        common = {"vocab_size": self.words(), "max_position_embeddings": 128, "initializer_range": 0.15, **SIZES}
        return {**common, **changed}

    def qwen(self, dropout: float = 0.0, **tokenizer: Any) -> Path:
        """Save a decoder with rotary positions."""
        config = Qwen3Config(**self.rotary(num_key_value_heads=1, head_dim=16, attention_dropout=dropout))
        return self.base(Qwen3Model(config), **tokenizer)

    def modernbert(self) -> Path:
        """Save an encoder whose layers attend to all and to eight neighbours in turn."""
        tokens = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
        config = ModernBertConfig(**self.rotary(local_attention=8, global_attn_every_n_layers=2, **tokens))
        return self.base(ModernBertModel(config))

    def gemma(self) -> Path:
        """Save a decoder's architecture that looks both ways, as EmbeddingGemma."""
        config = Gemma3TextConfig(
            **self.rotary(num_key_value_heads=1, head_dim=16, sliding_window=8, use_bidirectional_attention=True)
        )
        return self.base(Gemma3TextModel(config))

    def t5(self) -> Path:
        """Save the encoder of a T5, whose positions are relative."""
        config = T5Config(vocab_size=self.words(), d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2)
        return self.base(T5EncoderModel(config))

    def gpt2(self, **tokenizer: Any) -> Path:
        """Save a decoder with a table of positions."""
        config = GPT2Config(
            vocab_size=self.words(), n_embd=32, n_layer=2, n_head=2, n_positions=128, initializer_range=0.15
        )
        return self.base(GPT2Model(config), **tokenizer)

    def roberta(self) -> Path:
        """Save a RoBERTa of 34 positions, which holds 32 tokens, whose tokenizer knows no limit."""
        config = RobertaConfig(
            vocab_size=self.words(),
            max_position_embeddings=34,
            type_vocab_size=1,
            pad_token_id=1,
            initializer_range=0.15,
            **SIZES,
        )
        return self.base(RobertaModel(config), model_max_length=10**30)

    def static(self) -> StaticEmbedding:
        """Return a module of static embeddings."""
        return StaticEmbedding(AutoTokenizer.from_pretrained(self.bert), embedding_dim=32)

    def word_embeddings(self) -> WordEmbeddings:
        """Return a module of word embeddings, as of GloVe."""
        words = ["[PAD]", "water", "basil", "soil", "stem", "leaf", "spring", "long", "frost"]
        return WordEmbeddings(WhitespaceTokenizer(words), torch.randn(len(words), 32))


LAYOUTS: dict[str, Callable[[Maker], Path]] = {
    "mean": lambda make: make.pooled("mean"),
    "cls": lambda make: make.pooled("cls"),
    "max": lambda make: make.pooled("max"),
    "last token": lambda make: make.pooled("lasttoken"),
    "weighted mean": lambda make: make.pooled("weightedmean"),
    "mean over the root of the length": lambda make: make.pooled("mean_sqrt_len_tokens", similarity_fn_name="dot"),
    "two poolings": lambda make: make.pooled(("mean", "cls")),
    "prompts": lambda make: make.pooled("mean", prompts=PROMPTS),
    "prompts that are not pooled": lambda make: make.of(
        Transformer(str(make.bert)), Pooling(32, "mean", include_prompt=False), prompts=PROMPTS
    ),
    "a default prompt": lambda make: make.pooled("mean", prompts={"other": "x "}, default_prompt_name="other"),
    "dense": lambda make: make.of(
        Transformer(str(make.bert)), Pooling(32, "mean"), Dense(32, 16), LayerNorm(16), similarity_fn_name="dot"
    ),
    "dot": lambda make: make.pooled("mean", similarity_fn_name="dot"),
    "normalised": lambda make: make.of(Transformer(str(make.bert)), Pooling(32, "mean"), Normalize()),
    "truncated": lambda make: make.of(Transformer(str(make.bert)), Pooling(32, "mean"), Normalize(), truncate_dim=8),
    "truncated dot": lambda make: make.pooled("mean", truncate_dim=8, similarity_fn_name="dot"),
    "short": lambda make: make.of(Transformer(str(make.bert), max_seq_length=9), Pooling(32, "mean")),
    "short queries": lambda make: make.of(
        Transformer(str(make.bert), query_length=6, document_length=12), Pooling(32, "mean")
    ),
    "static": lambda make: make.of(make.static()),
    "static, normalised and truncated": lambda make: make.of(make.static(), Normalize(), truncate_dim=20),
    "words": lambda make: make.of(make.word_embeddings(), Pooling(32, "mean")),
    "router": lambda make: make.of(
        Router.for_query_document(
            [Transformer(str(make.bert)), Pooling(32, "mean")], [Transformer(str(make.second(16))), Pooling(32, "cls")]
        ),
        Normalize(),
        prompts=PROMPTS,
    ),
    "router at the end": lambda make: make.of(
        Transformer(str(make.bert)), Pooling(32, "mean"), Router.for_query_document([Dense(32, 16)], [Dense(32, 16)])
    ),
    "router after static embeddings": lambda make: make.of(
        make.static(), Router.for_query_document([Dense(32, 16)], [Dense(32, 16)]), prompts=PROMPTS
    ),
    "router with static queries": lambda make: make.of(
        Router.for_query_document([make.static()], [Transformer(str(make.bert)), Pooling(32, "mean")])
    ),
    "decoder": lambda make: make.pooled("lasttoken", make.qwen()),
    "decoder padded on the left": lambda make: make.pooled("lasttoken", make.qwen(padding_side="left")),
    "decoder with prompts that are not pooled": lambda make: make.of(
        Transformer(str(make.qwen(padding_side="left"))), Pooling(32, "mean", include_prompt=False), prompts=PROMPTS
    ),
    "decoder with dropout": lambda make: make.pooled("lasttoken", make.qwen(dropout=0.5)),
    "decoder that looks both ways": lambda make: make.pooled("mean", make.gemma()),
    "local and global attention": lambda make: make.pooled("mean", make.modernbert()),
    "relative positions": lambda make: make.pooled("mean", make.t5()),
    "half": lambda make: make.pooled("mean", make.base(BertModel(make.config()), torch.float16)),
    "bare": lambda make: make.bert,
    "bare, in bfloat16": lambda make: make.base(BertModel(make.config()), torch.bfloat16),
    "bare, with a language model's head and no pooler": lambda make: make.base(BertForMaskedLM(make.config())),
}
"""Models that sentence-transformers encodes with as they are, by what is special about them."""
