"""Which of LXMERT's published tensors is which of ours (sheet `lxmert`, section 11).

Their names are those of the original pre-training file without "module.": "bert." is the encoder, the rest are heads.
Ours holds query, key and value as one matrix, and the table of word pieces, which the word head reads too, once.
"""

from __future__ import annotations

from collections.abc import Iterator

Pair = tuple[str, tuple[str, ...]]

_PARTS = ("query", "key", "value")
_KINDS = ("weight", "bias")
TABLE = "bert.embeddings.word_embeddings.weight"
TIED = "cls.predictions.decoder.weight"  # the same tensor as TABLE, which their files name twice


def encoder_names(language: int, objects: int, cross: int) -> dict[str, tuple[str, ...]]:
    """Our encoder's key -> theirs (three for a fused projection), without the prefix "bert." or "lxmert."."""
    return dict(_encoder_names(language, objects, cross))


def model_names(model: str, layers: tuple[int, int, int]) -> dict[str, tuple[str, ...]]:
    """Key of the model "lxmert" or "lxmert_pretraining" -> theirs, for so many language, object and cross layers."""
    encoder = {f"encoder.{o}": tuple(f"bert.{t}" for t in ts) for o, ts in encoder_names(*layers).items()}
    heads = dict(_answer_head())
    if model == "lxmert_pretraining":
        heads |= dict(_pretraining_heads())
    return encoder | heads


def _answer_head() -> Iterator[Pair]:
    for ours, layer in (("dense", 0), ("norm", 2), ("scores", 3)):
        yield from _both(f"answer_head.{ours}", f"answer_head.logit_fc.{layer}")


def _pretraining_heads() -> Iterator[Pair]:
    yield "word_head.bias", ("cls.predictions.bias",)
    yield from _transform("word_head", "cls.predictions.transform")
    yield from _both("matching_head", "cls.seq_relationship")
    yield from _transform("object_head", "obj_predict_head.transform")
    for ours, theirs in (("objects", "obj"), ("attributes", "attr"), ("features", "feat")):
        yield from _both(f"object_head.outputs.{ours}", f"obj_predict_head.decoder_dict.{theirs}")


def _transform(ours: str, theirs: str) -> Iterator[Pair]:
    yield from _both(f"{ours}.dense", f"{theirs}.dense")
    yield from _both(f"{ours}.norm", f"{theirs}.LayerNorm")


def _encoder_names(language: int, objects: int, cross: int) -> Iterator[Pair]:
    for ours, theirs in (("words", "word"), ("positions", "position"), ("types", "token_type")):
        yield f"text_embedding.{ours}.weight", (f"embeddings.{theirs}_embeddings.weight",)
    yield from _both("text_embedding.norm", "embeddings.LayerNorm")
    yield from _both("region_embedding.features", "encoder.visn_fc.visn_fc")
    yield from _both("region_embedding.features_norm", "encoder.visn_fc.visn_layer_norm")
    yield from _both("region_embedding.boxes", "encoder.visn_fc.box_fc")
    yield from _both("region_embedding.boxes_norm", "encoder.visn_fc.box_layer_norm")
    for ours, theirs, count in (("language_layers", "layer", language), ("object_layers", "r_layers", objects)):
        for i in range(count):
            here, there = f"{ours}.{i}", f"encoder.{theirs}.{i}"
            yield from _attention(f"{here}.self_attention", f"{there}.attention.self", f"{there}.attention.output")
            yield from _feed_forward(f"{here}.feed_forward", f"{there}.intermediate", f"{there}.output")
    for i in range(cross):
        yield from _cross_layer(f"cross_layers.{i}", f"encoder.x_layers.{i}")
    yield from _both("pooler.dense", "pooler.dense")


def _cross_layer(here: str, there: str) -> Iterator[Pair]:
    crossing = f"{there}.visual_attention"
    yield from _attention(f"{here}.cross_attention", f"{crossing}.att", f"{crossing}.output")
    for ours, theirs in (("text", "lang"), ("regions", "visn")):
        att = f"{there}.{theirs}_self_att"
        yield from _attention(f"{here}.{ours}_self_attention", f"{att}.self", f"{att}.output")
        yield from _feed_forward(f"{here}.{ours}_feed_forward", f"{there}.{theirs}_inter", f"{there}.{theirs}_output")


def _attention(ours: str, theirs: str, output: str) -> Iterator[Pair]:
    """One attention with its add-and-norm: our prefix, their prefixes of the projections and of the output."""
    for kind in _KINDS:
        yield f"{ours}.attention.qkv.{kind}", tuple(f"{theirs}.{part}.{kind}" for part in _PARTS)
        yield f"{ours}.attention.output.{kind}", (f"{output}.dense.{kind}",)
        yield f"{ours}.add_norm.norm.{kind}", (f"{output}.LayerNorm.{kind}",)


def _feed_forward(ours: str, up: str, down: str) -> Iterator[Pair]:
    yield from _both(f"{ours}.up", f"{up}.dense")
    yield from _both(f"{ours}.down", f"{down}.dense")
    yield from _both(f"{ours}.add_norm.norm", f"{down}.LayerNorm")


def _both(ours: str, theirs: str) -> Iterator[Pair]:
    for kind in _KINDS:
        yield f"{ours}.{kind}", (f"{theirs}.{kind}",)
