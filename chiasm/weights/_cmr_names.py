"""Which of CMR's published tensors is which of ours (sheet `cmr`, section 7).

Its encoder is LXMERT's, whose layers have other names there; everything beside it has the names of `_OWN`.
"""

from __future__ import annotations

from chiasm.weights._lxmert_names import encoder_names

ENCODER = "bert_encoder.model."  # before all 449 names of the encoder
TABLE = f"{ENCODER}bert.embeddings.word_embeddings.weight"
_STACKS = {"layer": "single_bert_layer", "r_layers": "single_layers", "x_layers": "cross_layers"}

# Our module -> its published name.
_BRANCHES = {"pooled": ("cross", 1), "text_image": ("lang", 2), "image_halves": ("img", 3), "relations": ("rel", 4)}
_TWO_CONVOLUTIONS = ("text_image", "image_halves")
_TWO_IMAGES = ("text_image", "relations")
_OWN = {
    "text_side.vectors.first": "lang_2_to_1.0",
    "text_side.vectors.second": "lang_2_to_1.2",
    "unused_pairs.first": "img_2_to_1.0",
    "unused_pairs.second": "img_2_to_1.2",
    **{f"text_side.scores.{layer}": f"lang_relation.{layer}" for layer in (0, 2, 4)},
    **{f"image_side.scores.{layer}": f"img_relation.{layer}" for layer in (0, 2, 4)},
    **{f"classifier.{layer}": f"final_classifier.{layer}" for layer in (0, 2, 3, 5, 7)},
}


def published_encoder(language: int, objects: int, cross: int) -> dict[str, tuple[str, ...]]:
    """Our key "encoder..." -> CMR's names (three for a fused projection), for so many layers of each kind."""
    ours = encoder_names(language, objects, cross)
    return {f"encoder.{key}": tuple(f"{ENCODER}bert.{restacked(name)}" for name in ours[key]) for key in ours}


def published_names(language: int, objects: int, cross: int) -> dict[str, tuple[str, ...]]:
    """Every key of our `cmr_released` -> the names in the published file, 519 of them at full size."""
    modules = dict(_OWN)
    for ours, (theirs, number) in _BRANCHES.items():
        for layer in range(2 if ours in _TWO_CONVOLUTIONS else 1):
            modules[f"{ours}.cnn.convolutions.{layer}"] = f"{theirs}_conv{layer + 1}"
        modules[f"{ours}.cnn.output"] = f"{theirs}_fc1"
        head = {"hidden": 0, "norm": 2} | ({"output": 3} if ours in _TWO_IMAGES else {})
        modules |= {f"{ours}.{part}": f"logit_fc{number}.{layer}" for part, layer in head.items()}
    own = {f"{ours}.{kind}": (f"{name}.{kind}",) for ours, name in modules.items() for kind in ("weight", "bias")}
    return published_encoder(language, objects, cross) | own


def restacked(name: str) -> str:
    """LXMERT's name of an encoder's tensor as CMR has it: its three stacks of layers are called otherwise."""
    parts = name.split(".")
    if parts[0] == "encoder" and parts[1] in _STACKS:
        parts[1] = _STACKS[parts[1]]
    return ".".join(parts)
