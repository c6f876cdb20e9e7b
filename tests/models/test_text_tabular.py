"""Multimodal-Toolkit: any method, any text encoder, any part of the row."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from chiasm.batch import Batch, Table, Text
from chiasm.fusion.tabular import combiner_names
from chiasm.models.text_tabular import Config, TextTabular
from chiasm.objectives.answers import one_answer
from chiasm.registry import UnknownName

SMALL = Config(
    vocab_size=30,
    num_labels=3,
    num_numbers=3,
    category_sizes=(2, 4),
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=12,
)
ENCODERS: dict[str, dict[str, Any]] = {
    "bert": {"intermediate_size": 32},
    "roberta": {"intermediate_size": 32, "max_position_embeddings": 20},
    "distilbert": {"hidden_dim": 32, "dim": 16, "n_layers": 2, "n_heads": 2},
    "albert": {"intermediate_size": 32, "embedding_size": 8},
    "electra": {"intermediate_size": 32, "embedding_size": 8},
    "xlnet": {"d_inner": 32, "d_model": 16, "n_layer": 2, "n_head": 2},
}


def batch(rows: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(0)
    mask = torch.arange(7) < torch.tensor([7, 5, 3, 2]).repeat(rows)[:rows, None]
    return Batch(
        text=Text(torch.randint(2, 30, (rows, 7), generator=generator).where(mask, 0), mask),
        table=Table(
            torch.randn(rows, 3, generator=generator),
            torch.ones(rows, 3, dtype=torch.bool),
            torch.randint(0, 3, (rows, 2), generator=generator),
        ),
        targets={"answer": torch.tensor([0, 1, 2, 0]).repeat(rows)[:rows]},
    )


def model(config: Config = SMALL, **changes: Any) -> TextTabular:
    torch.manual_seed(0)
    return TextTabular(replace(config, **changes), {"answer": one_answer}).eval()


def small_bert(**changes: int) -> Any:
    from transformers import BertConfig, BertModel

    sizes = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    return BertModel(BertConfig(**{**sizes, "intermediate_size": 32, **changes}))


@pytest.mark.parametrize("name", combiner_names())
@pytest.mark.parametrize("mlp_head", [True, False])
def test_every_method_gives_a_score_for_each_class(name: str, mlp_head: bool) -> None:
    output = model(combine=name, mlp_head=mlp_head)(batch())
    assert output.scores["answer"].shape == (4, 3)


@pytest.mark.parametrize("kind", ENCODERS)
def test_any_text_encoder_of_transformers_works_and_ignores_padding(kind: str) -> None:
    values = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "pad_token_id": 0,
        **ENCODERS[kind],
        "model_type": kind,
    }
    built = model(transformers=values)
    full = batch()
    assert full.text is not None
    short = replace(full[3:4], text=Text(full.text.input_ids[3:4, :2], full.text.attention_mask[3:4, :2]))
    torch.testing.assert_close(built(short).scores["answer"], built(full).scores["answer"][3:4], atol=1e-5, rtol=1e-5)
    built.losses(built(full), full)["answer"].backward()
    assert built.text is not None
    word_table = built.get_input_embeddings()
    assert word_table.weight.grad.abs().sum() > 0


def test_a_pretrained_folder_gives_its_weights_and_the_config_no_longer_needs_it(tmp_path: Path) -> None:
    bert = small_bert()
    bert.save_pretrained(tmp_path)
    first = model(pretrained=str(tmp_path))
    torch.testing.assert_close(first.get_input_embeddings().weight, bert.get_input_embeddings().weight)
    values = asdict(first.config)
    assert values["pretrained"] == ""
    again = TextTabular(Config(**values), {"answer": one_answer}).eval()
    again.load_state_dict(first.state_dict())
    assert torch.equal(again(batch()).scores["answer"], first(batch()).scores["answer"])


def test_our_bert_equals_transformers_bert() -> None:
    theirs = small_bert(max_position_embeddings=12).eval()
    ours = model().text
    assert ours is not None
    state = theirs.state_dict()
    names = {
        "embedding.words": "embeddings.word_embeddings",
        "embedding.positions": "embeddings.position_embeddings",
        "embedding.types": "embeddings.token_type_embeddings",
        "embedding.norm": "embeddings.LayerNorm",
        "pooler": "pooler.dense",
    }
    for i in range(2):
        layer = f"encoder.layer.{i}"
        names |= {
            f"layers.{i}.self_attention.attention.output": f"{layer}.attention.output.dense",
            f"layers.{i}.self_attention.add_norm.norm": f"{layer}.attention.output.LayerNorm",
            f"layers.{i}.feed_forward.up": f"{layer}.intermediate.dense",
            f"layers.{i}.feed_forward.down": f"{layer}.output.dense",
            f"layers.{i}.feed_forward.add_norm.norm": f"{layer}.output.LayerNorm",
        }
    with torch.no_grad():
        for name, value in ours.named_parameters():
            module, _, kind = name.rpartition(".")
            if module in names:
                value.copy_(state[f"{names[module]}.{kind}"])
            else:  # query, key and value in one product
                i = module.split(".")[1]
                parts = [state[f"encoder.layer.{i}.attention.self.{p}.{kind}"] for p in ("query", "key", "value")]
                value.copy_(torch.cat(parts))
        text = batch().text
        assert text is not None
        expected = theirs(text.input_ids, text.attention_mask.long()).pooler_output
        torch.testing.assert_close(ours(text), expected, atol=1e-6, rtol=1e-5)


def test_text_only_and_table_only_read_one_part_of_the_row() -> None:
    full, other = batch(), batch()
    other = replace(other, table=Table(other.table.numbers + 1, other.table.numbers_mask, other.table.categories))
    text_only, table_only = model(combine="text_only"), model(combine="concat", use_text=False)
    assert torch.equal(text_only(full).scores["answer"], text_only(other).scores["answer"])
    assert not torch.equal(table_only(full).scores["answer"], table_only(other).scores["answer"])
    assert torch.equal(table_only(replace(full, text=None)).scores["answer"], table_only(full).scores["answer"])


def test_a_model_without_a_table_needs_none() -> None:
    built = model(num_numbers=0, category_sizes=())
    assert built(replace(batch(), table=None)).scores["answer"].shape == (4, 3)


def test_rows_that_share_a_text_or_a_table_row_are_answered_alike() -> None:
    full = batch()
    index = torch.tensor([[0], [0], [1]])
    shared = replace(full, text=replace(full.text, index=index), table=replace(full.table, index=index), targets={})
    found, plain = model()(shared).scores["answer"], model()(full).scores["answer"]
    torch.testing.assert_close(found, plain[[0, 0, 1]])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"combine": "gatin"}, UnknownName, "gating"),
        ({"use_text": False}, ValueError, "concat"),
        ({"num_hidden_layers": 0}, ValueError, "at least 1"),
        ({"transformers": {"model_type": "brt"}}, ValueError, "'brt' is unknown"),
        ({"pretrained": "no/such/folder/at/all"}, ValueError, "no/such/folder"),
        ({"use_text": False, "combine": "concat", "num_numbers": 0, "category_sizes": ()}, ValueError, "neither"),
    ],
)
def test_an_impossible_option_is_refused(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        model(**changes)


def test_a_table_of_another_shape_is_refused_with_both_sizes() -> None:
    with pytest.raises(ValueError, match="3 numbers and 2 categories for a model of 2 and 2"):
        model(num_numbers=2)(batch())


def test_a_text_longer_than_the_positions_is_refused() -> None:
    for built in (model(), model(transformers={"model_type": "bert", **ENCODERS["bert"], "hidden_size": 16,
                                               "num_attention_heads": 2, "max_position_embeddings": 12})):  # fmt: skip
        long = Text(torch.ones(1, 13, dtype=torch.int64), torch.ones(1, 13, dtype=torch.bool))
        with pytest.raises(ValueError, match="13 word pieces is longer"):
            built(replace(batch(1), text=long))


def test_a_tokenizer_larger_than_the_pretrained_encoder_is_refused(tmp_path: Path) -> None:
    small_bert(vocab_size=20).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="knows 20 word pieces and the tokenizer 30"):
        model(pretrained=str(tmp_path))
