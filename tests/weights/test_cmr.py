"""CMR's weights in every format: all names of the published file, nothing lost or altered, the same answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LxmertConfig, LxmertForPreTraining

from chiasm.models.cmr_released import CmrReleased, Config
from chiasm.training.initial import start_from
from chiasm.weights import cmr, is_published, lxmert, read_published
from chiasm.weights._cmr_names import published_encoder, published_names
from chiasm.weights.cmr import WeightsError, convert, from_pretrained, read
from tests.models.published_cmr import FEATURES, SMALL, PublishedCmr, asked, batch, filled, published_name, small

LAYERS = (2, 1, 2)
BERT = "bert_encoder.model.bert."


@pytest.fixture(scope="module")
def theirs() -> Any:
    """One head, since the number of heads leaves no trace in a file and is read off the width."""
    return small(heads=1)


@pytest.fixture(scope="module")
def folder(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BEST.pth as the code saves it, and an LXMERT as its code and as transformers save it."""
    place = tmp_path_factory.mktemp("published")
    torch.save(theirs.published_state(), place / "BEST.pth")
    config = LxmertConfig(
        **SMALL, num_attention_heads=1, l_layers=2, r_layers=1, x_layers=2, visual_feat_dim=FEATURES,
        num_qa_labels=5, num_object_labels=7, num_attr_labels=5,
    )  # fmt: skip
    model = filled(LxmertForPreTraining(config))
    model.save_pretrained(place / "lxmert_hf")
    torch.save({f"module.{lxmert_name(n)}": t for n, t in model.state_dict().items()}, place / "lxmert.pth")
    return place


def lxmert_name(name: str) -> str:
    return name.replace("lxmert.", "bert.", 1)


def load(file: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = torch.load(file, weights_only=True)
    return found


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_the_published_model_has_all_519_keys_and_each_has_its_place() -> None:
    with torch.device("meta"):
        published = PublishedCmr(LxmertConfig(), (3072, 768, 192))
        ours = CmrReleased(Config(), {})
    names = published_names(9, 5, 5)
    state = published.published_state()
    assert len(state) == 519
    assert {key for keys in names.values() for key in keys} == set(state)
    assert set(names) == set(ours.state_dict())
    for mine, keys in names.items():
        shapes = [tuple(state[key].shape) for key in keys]
        rows = sum(shape[0] for shape in shapes)
        assert tuple(ours.state_dict()[mine].shape) == (rows, *shapes[0][1:]), mine


def test_the_encoder_has_lxmerts_449_keys_under_the_names_of_the_sheet() -> None:
    """Sheet `cmr`, section 7, "Key mapping"."""
    keys = {key for found in published_encoder(9, 5, 5).values() for key in found}
    assert len(keys) == 449
    for name in (
        "encoder.single_bert_layer.8.attention.self.query.weight",
        "encoder.single_layers.4.attention.output.LayerNorm.bias",
        "encoder.cross_layers.4.visual_attention.att.query.weight",
        "encoder.cross_layers.0.lang_self_att.self.query.weight",
        "encoder.visn_fc.box_fc.weight",
        "embeddings.word_embeddings.weight",
        "pooler.dense.bias",
    ):
        assert BERT + name in keys


@torch.no_grad()
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_published_file_answers_as_the_published_code(theirs: Any, tmp_path: Path, prefix: str) -> None:
    torch.save({prefix + name: t for name, t in theirs.published_state().items()}, tmp_path / "BEST.pth")
    ours = from_pretrained(tmp_path / "BEST.pth")
    torch.testing.assert_close(ours(batch()).scores["answer"], asked(theirs, batch()), atol=1e-5, rtol=1e-5)


def test_the_prefix_of_the_encoder_alone_is_known_too(folder: Path, tmp_path: Path) -> None:
    state = load(folder / "BEST.pth")
    torch.save({n.replace(BERT, "bert_encoder.model.module.bert."): t for n, t in state.items()}, tmp_path / "m.pth")
    assert same(dict(read(tmp_path / "m.pth").tensors), dict(read(folder / "BEST.pth").tensors))


@pytest.mark.parametrize("module", [False, True])
def test_the_published_file_comes_back_key_by_key(folder: Path, tmp_path: Path, module: bool) -> None:
    done = convert(folder / "BEST.pth", tmp_path / "ours")
    assert (done.model, done.given, done.made) == ("cmr_released", "original", "chiasm")
    convert(tmp_path / "ours", tmp_path / "again.pth", module=module)
    prefix = "module." if module else ""
    assert same(load(tmp_path / "again.pth"), {prefix + n: t for n, t in load(folder / "BEST.pth").items()})


@torch.no_grad()
def test_a_converted_folder_answers_bit_for_bit(folder: Path, tmp_path: Path) -> None:
    convert(folder / "BEST.pth", tmp_path / "ours")
    before, after = from_pretrained(folder / "BEST.pth"), from_pretrained(tmp_path / "ours")
    assert before.config == after.config
    assert torch.equal(before(batch()).scores["answer"], after(batch()).scores["answer"])


def test_a_bundle_goes_out_as_a_published_file(folder: Path, tmp_path: Path) -> None:
    """A bundle's config.json says more than a converted folder's."""
    convert(folder / "BEST.pth", tmp_path / "bundle")
    file = tmp_path / "bundle" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "task": "nlvr", "streams": ["text", "regions"]}))
    (tmp_path / "bundle" / "manifest.json").write_text("{}")
    convert(tmp_path / "bundle", tmp_path / "again.pth")
    assert same(load(tmp_path / "again.pth"), load(folder / "BEST.pth"))


@pytest.mark.parametrize("source", ["lxmert.pth", "lxmert_hf"])
def test_every_tensor_of_an_lxmerts_encoder_finds_its_place_and_comes_back(
    folder: Path, tmp_path: Path, source: str
) -> None:
    original = {n.removeprefix("module."): t for n, t in load(folder / "lxmert.pth").items()}
    encoder = {name: tensor for name, tensor in original.items() if name.startswith("bert.")}
    done = convert(folder / source, tmp_path / "start.pth")
    assert done.made == "original (the encoder alone)"
    assert done.tensors == len(encoder)
    start = load(tmp_path / "start.pth")
    assert same(start, {published_name("encoder." + n.removeprefix("bert.")): t for n, t in encoder.items()})
    convert(tmp_path / "start.pth", tmp_path / "back.pth", to="lxmert")
    assert same(load(tmp_path / "back.pth"), encoder)
    assert same(dict(read(tmp_path / "back.pth").tensors), dict(read(folder / source).tensors))


def test_the_encoder_of_a_published_cmr_is_written_as_an_lxmert(theirs: Any, folder: Path, tmp_path: Path) -> None:
    convert(folder / "BEST.pth", tmp_path / "bert.pth", to="lxmert", module=True)
    expected = {f"module.bert.{n}": t for n, t in theirs.encoder.state_dict().items()}
    assert same(load(tmp_path / "bert.pth"), expected)


@pytest.mark.parametrize("source", ["lxmert.pth", "lxmert_hf", "start", "start.pth", "BEST.pth"])
def test_training_begins_with_the_encoder_of_any_of_them(folder: Path, tmp_path: Path, source: str) -> None:
    place = folder / source
    if source.startswith("start"):
        place = tmp_path / source
        convert(folder / "lxmert.pth", place)
    assert is_published(place)
    model = CmrReleased(read(folder / "BEST.pth").config, {})
    task: Any = object()
    before = model.classifier[0].weight.clone()
    said = start_from(model, task, {}, place)
    assert "new here: classifier 10" in said
    origin = load(folder / ("BEST.pth" if source == "BEST.pth" else "lxmert.pth"))
    table = BERT if source == "BEST.pth" else "module.bert."
    assert torch.equal(model.encoder.pooler.dense.weight, origin[f"{table}pooler.dense.weight"])
    assert torch.equal(model.classifier[0].weight, before)


def test_training_may_go_on_with_the_whole_published_model(folder: Path) -> None:
    published = read(folder / "BEST.pth")
    model = CmrReleased(published.config, {})
    task: Any = object()
    start_from(model, task, {}, folder / "BEST.pth", heads=True)
    assert same(dict(model.state_dict()), dict(published.tensors))


def test_the_family_is_found_by_what_the_file_holds(folder: Path) -> None:
    assert read_published(folder / "BEST.pth").model == "cmr_released"
    assert read_published(folder / "lxmert.pth").model == "lxmert_pretraining"


def test_an_encoder_alone_answers_nothing(folder: Path) -> None:
    with pytest.raises(WeightsError, match="an encoder alone"):
        from_pretrained(folder / "lxmert.pth")


def broken(folder: Path, tmp_path: Path, change: Any) -> Path:
    state = load(folder / "BEST.pth")
    change(state)
    torch.save(state, tmp_path / "broken.pth")
    return tmp_path / "broken.pth"


def test_a_missing_and_an_unexpected_key_are_named(folder: Path, tmp_path: Path) -> None:
    def change(state: dict[str, Tensor]) -> None:
        state["lang_conv3.bias"] = state.pop("lang_conv2.bias")

    with pytest.raises(WeightsError, match=r"1 missing: lang_conv2\.bias; 1 unexpected: lang_conv3\.bias"):
        convert(broken(folder, tmp_path, change), tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


def test_a_missing_tensor_whose_size_is_read_off_is_named(folder: Path, tmp_path: Path) -> None:
    def change(state: dict[str, Tensor]) -> None:
        del state["final_classifier.7.weight"]

    with pytest.raises(WeightsError, match=r"1 missing: final_classifier\.7\.weight"):
        read(broken(folder, tmp_path, change))


def test_a_tensor_of_another_shape_is_named(folder: Path, tmp_path: Path) -> None:
    def change(state: dict[str, Tensor]) -> None:
        state["img_fc1.weight"] = state["img_fc1.weight"][:, :-1]

    with pytest.raises(WeightsError, match=r"image_halves\.cnn\.output\.weight is \(48, 1567\), not \(48, 1568\)"):
        read(broken(folder, tmp_path, change))


def test_the_same_tensor_under_two_names_is_refused(folder: Path, tmp_path: Path) -> None:
    def change(state: dict[str, Tensor]) -> None:
        state["module.rel_fc1.bias"] = state["rel_fc1.bias"]

    with pytest.raises(WeightsError, match=r"two tensors are rel_fc1\.bias"):
        read(broken(folder, tmp_path, change))


def test_what_makes_no_sense_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="unknown format 'onnx'"):
        convert(folder / "BEST.pth", tmp_path / "x", to="onnx")
    with pytest.raises(WeightsError, match="belongs to the formats original and lxmert"):
        convert(folder / "BEST.pth", tmp_path / "x", module=True)
    with pytest.raises(WeightsError, match="LXMERT's weights already"):
        convert(folder / "lxmert.pth", tmp_path / "x.pth", to="lxmert")
    lxmert.convert(folder / "lxmert.pth", tmp_path / "two", shared_cross_attention=False)
    with pytest.raises(WeightsError, match="one cross-attention for both directions"):
        read(tmp_path / "two")


class Trap:
    """What a pickle runs when it is read without restraint."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return (Path.touch, (self.place,))


def test_a_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    torch.save({f"{BERT}x": Trap(tmp_path / "ran")}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="read in no other way"):
        cmr.read(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()
