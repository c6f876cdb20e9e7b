"""Our LXMERT equals transformers' on the same weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import LxmertConfig, LxmertModel

from chiasm.batch import Batch, Regions, Text
from chiasm.layers.recording import record
from chiasm.models.lxmert import Config, Encoder, Lxmert
from chiasm.weights.lxmert import WeightsError, encoder_names, rename_in, rename_out

SIZES = {"hidden_size": 48, "num_attention_heads": 4, "intermediate_size": 96, "vocab_size": 90}
NAMES = encoder_names(3, 2, 2)


@pytest.fixture(scope="module")
def theirs() -> LxmertModel:
    torch.manual_seed(0)
    config = LxmertConfig(**SIZES, l_layers=3, r_layers=2, x_layers=2, visual_feat_dim=20)
    model = LxmertModel(config).eval()
    for parameter in model.parameters():  # post_init leaves norms and biases at 1 and 0: a swap would not show
        torch.nn.init.normal_(parameter, std=0.2)
    return model


@pytest.fixture(scope="module")
def ours(theirs: LxmertModel) -> Encoder:
    config = Config(**SIZES, language_layers=3, object_layers=2, cross_layers=2, feature_size=20)
    encoder = Encoder(config).eval()
    encoder.load_state_dict(rename_in(theirs.state_dict(), NAMES))
    return encoder


@pytest.fixture(scope="module")
def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 90, (4, 7), generator=generator)
    mask = torch.arange(7)[None] < torch.tensor([7, 5, 3, 2])[:, None]
    regions_mask = torch.arange(6)[None] < torch.tensor([6, 4, 6, 1])[:, None]
    return Batch(
        text=Text(ids * mask, mask),
        regions=Regions(
            torch.rand(4, 6, 20, generator=generator), torch.rand(4, 6, 4, generator=generator), regions_mask
        ),
    )


def difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


@torch.no_grad()
def test_all_outputs_equal_transformers(theirs: LxmertModel, ours: Encoder, batch: Batch) -> None:
    assert batch.text is not None
    assert batch.regions is not None
    assert batch.regions.attention_mask is not None
    reference = theirs(
        input_ids=batch.text.input_ids,
        attention_mask=batch.text.attention_mask.float(),
        visual_feats=batch.regions.features,
        visual_pos=batch.regions.boxes,
        visual_attention_mask=batch.regions.attention_mask.float(),
    )
    language, objects, pooled = ours(batch.text, batch.regions)
    assert difference(language, reference.language_output) < 1e-5
    assert difference(objects, reference.vision_output) < 1e-5
    assert difference(pooled, reference.pooled_output) < 1e-5


@torch.no_grad()
def test_recorded_attention_equals_transformers(theirs: LxmertModel, ours: Encoder, batch: Batch) -> None:
    assert batch.text is not None
    assert batch.regions is not None
    assert batch.regions.attention_mask is not None
    theirs.set_attn_implementation("eager")
    reference = theirs(
        input_ids=batch.text.input_ids,
        attention_mask=batch.text.attention_mask.float(),
        visual_feats=batch.regions.features,
        visual_pos=batch.regions.boxes,
        visual_attention_mask=batch.regions.attention_mask.float(),
        output_attentions=True,
    )
    with record(ours) as seen:
        ours(batch.text, batch.regions)
    for i in range(3):
        (map_,) = seen[f"language_layers.{i}.self_attention.attention.tap"]
        assert difference(map_, reference.language_attentions[i]) < 1e-5
    for i in range(2):
        (map_,) = seen[f"object_layers.{i}.self_attention.attention.tap"]
        assert difference(map_, reference.vision_attentions[i]) < 1e-5
        (map_,) = seen[f"cross_layers.{i}.cross_attention.text_to_regions"]
        assert difference(map_, reference.cross_encoder_attentions[i]) < 1e-5


@torch.no_grad()
def test_the_short_path_gives_the_pooled_output(ours: Encoder, batch: Batch) -> None:
    assert batch.text is not None
    assert batch.regions is not None
    assert difference(ours.pooled(batch.text, batch.regions), ours(batch.text, batch.regions)[2]) < 2e-6


def test_renaming_both_ways_gives_the_weights_back(theirs: LxmertModel, ours: Encoder) -> None:
    back = rename_out(ours.state_dict(), NAMES)
    assert back.keys() == theirs.state_dict().keys()
    assert all(torch.equal(back[key], value) for key, value in theirs.state_dict().items())


def test_a_missing_and_an_unexpected_key_are_named(theirs: LxmertModel) -> None:
    weights = theirs.state_dict()
    weights["pooler.dense.gain"] = weights.pop("pooler.dense.bias")
    with pytest.raises(WeightsError, match=r"missing: pooler\.dense\.bias; 1 unexpected: pooler\.dense\.gain"):
        rename_in(weights, NAMES)


@pytest.mark.parametrize(
    ("head", "parameters"), [((3129, 1), 213_930_297), ((1842, 1), 211_952_178), ((2, 2), 210_303_746)]
)
def test_published_sizes(head: tuple[int, int], parameters: int) -> None:
    labels, images = head
    with torch.device("meta"):
        model = Lxmert(Config(num_labels=labels, num_images=images), {})
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert sum(p.numel() for p in model.encoder.parameters()) == 207_936_768


def test_separate_cross_attention_adds_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        shared = Lxmert(Config(), {})
        separate = Lxmert(Config(shared_cross_attention=False), {})
    sizes = [sum(p.numel() for p in m.parameters()) for m in (separate, shared)]
    assert sizes[0] - sizes[1] == 11_819_520
