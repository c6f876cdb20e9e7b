"""LXMERT's weights in every format: nothing lost, nothing altered, the same answers and losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import LxmertConfig, LxmertForPreTraining, LxmertForQuestionAnswering

from chiasm.batch import Batch, Regions, Text
from chiasm.models.lxmert import Lxmert
from chiasm.models.lxmert_pretraining import HEADS, LxmertPretraining
from chiasm.objectives.cases import class_of_case, smooth_difference
from chiasm.weights import lxmert as weights
from chiasm.weights import weights as family
from chiasm.weights import weights_names
from chiasm.weights._lxmert_names import TABLE, TIED, model_names
from chiasm.weights.lxmert import WeightsError, convert, from_pretrained

SIZES = {"vocab_size": 90, "hidden_size": 48, "num_attention_heads": 4, "intermediate_size": 96}
LAYERS = {"l_layers": 3, "r_layers": 2, "x_layers": 2}
LABELS = {"num_qa_labels": 11, "num_object_labels": 7, "num_attr_labels": 5, "visual_feat_dim": 20}
NORMALISER = 1 / 0.15  # of the original code; transformers' default of 6.67 is rounded
B, T, R = 4, 7, 6


def randomised(model: torch.nn.Module) -> torch.nn.Module:
    """post_init leaves norms at 1 and biases at 0, so that a swap of them would not show."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
    return model.eval()


@pytest.fixture(scope="module")
def config() -> LxmertConfig:
    return LxmertConfig(**SIZES, **LAYERS, **LABELS, visual_loss_normalizer=NORMALISER)


@pytest.fixture(scope="module")
def theirs(config: LxmertConfig) -> Any:
    return randomised(LxmertForPreTraining(config))


@pytest.fixture(scope="module")
def asking(config: LxmertConfig) -> Any:
    return randomised(LxmertForQuestionAnswering(config))


@pytest.fixture(scope="module")
def folder(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As transformers saves it."""
    place = tmp_path_factory.mktemp("huggingface")
    theirs.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def original(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the original code saves it: all 473 keys (fewer layers here), with the prefix of data-parallel training."""
    file = tmp_path_factory.mktemp("original") / "model_LXRT.pth"
    renamed = {f"module.{k.replace('lxmert.', 'bert.', 1)}": v for k, v in theirs.state_dict().items()}
    torch.save(renamed, file)
    return file


@pytest.fixture(scope="module")
def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(T)[None] < torch.tensor([7, 5, 3, 6])[:, None]
    ids = torch.randint(1, 90, (B, T), generator=generator) * mask
    hidden = torch.rand(B, T, generator=generator) < 0.4
    masked = torch.rand(B, R, generator=generator) < 0.5
    features = torch.rand(B, R, 20, generator=generator)
    return Batch(
        text=Text(ids, mask),
        regions=Regions(features, torch.rand(B, R, 4, generator=generator)),
        targets={
            "words": torch.where(hidden & mask, torch.randint(1, 90, (B, T), generator=generator), -1),
            "matched": torch.tensor([1, 0, 1, 0]),
            "objects": torch.randint(0, 7, (B, R), generator=generator),
            "objects_weight": torch.rand(B, R, generator=generator) * NORMALISER,
            "attributes": torch.randint(0, 5, (B, R), generator=generator),
            "attributes_weight": torch.rand(B, R, generator=generator) * NORMALISER,
            "features": features.flip(1) * 3,
            "features_weight": masked * NORMALISER,
            "answer": torch.tensor([3, -1, 10, -1]),
        },
    )


def ask(model: Any, batch: Batch, **labels: Any) -> Any:
    assert batch.text is not None
    assert batch.regions is not None
    return model(
        input_ids=batch.text.input_ids,
        attention_mask=batch.text.attention_mask.float(),
        visual_feats=batch.regions.features,
        visual_pos=batch.regions.boxes,
        **labels,
    )


def their_loss(model: Any, batch: Batch, head: str) -> Tensor:
    """One of transformers' six losses: the sum of which all others are left out, or count nothing."""
    targets = batch.targets
    as_theirs = {name: torch.where(t == -1, -100, t) for name, t in targets.items() if t.dtype == torch.int64}
    if head == "words":
        return ask(model, batch, labels=as_theirs["words"]).loss
    if head == "matched":
        return ask(model, batch, matched_label=as_theirs["matched"]).loss
    if head == "answer":
        return ask(model, batch, ans=as_theirs["answer"]).loss
    regions = {
        key: (targets[name], targets[f"{name}_weight"] / NORMALISER * (name == head))
        for key, name in (("obj", "objects"), ("attr", "attributes"), ("feat", "features"))
    }
    return ask(model, batch, obj_labels=regions).loss


def difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def learner(folder: Path) -> Any:
    objectives = {head: smooth_difference if head == "features" else class_of_case for head in HEADS}
    return from_pretrained(folder, objectives)


@torch.no_grad()
def test_every_output_of_pretraining_equals_transformers(theirs: Any, folder: Path, batch: Batch) -> None:
    ours, reference = learner(folder), ask(theirs, batch)
    assert isinstance(ours, LxmertPretraining)
    output = ours(batch)
    words = ours.word_head(output.states["words"], ours.get_input_embeddings().weight)
    hidden = ours.object_head.transform(output.states["objects"])
    their_regions = theirs.obj_predict_head(theirs.lxmert(**inputs_of(batch)).vision_output)
    assert difference(words, reference.prediction_logits) < 1e-5
    assert difference(output.scores["matched"], reference.cross_relationship_score) < 1e-5
    assert difference(output.scores["answer"], reference.question_answering_score) < 1e-5
    for name, key in (("objects", "obj"), ("attributes", "attr"), ("features", "feat")):
        assert difference(ours.object_head(hidden, name), their_regions[key]) < 1e-5


def inputs_of(batch: Batch) -> dict[str, Tensor]:
    assert batch.text is not None
    assert batch.regions is not None
    return {
        "input_ids": batch.text.input_ids,
        "attention_mask": batch.text.attention_mask.float(),
        "visual_feats": batch.regions.features,
        "visual_pos": batch.regions.boxes,
    }


@pytest.mark.parametrize("head", HEADS)
@torch.no_grad()
def test_each_of_the_six_losses_equals_transformers(theirs: Any, folder: Path, batch: Batch, head: str) -> None:
    ours = learner(folder)
    reference = their_loss(theirs, batch, head)
    assert float(reference) > 0.01
    assert float(ours.losses(ours(batch), batch)[head]) == pytest.approx(float(reference), rel=1e-5)


@torch.no_grad()
def test_answers_of_a_fine_tuned_model_equal_transformers(asking: Any, batch: Batch, tmp_path: Path) -> None:
    asking.save_pretrained(tmp_path / "qa")
    ours = from_pretrained(tmp_path / "qa")
    assert isinstance(ours, Lxmert)
    assert difference(ours(batch).scores["answer"], ask(asking, batch).question_answering_score) < 1e-5


def test_the_published_model_has_all_473_keys() -> None:
    with torch.device("meta"):
        published = LxmertForPreTraining(LxmertConfig()).state_dict()
        ours = LxmertPretraining(weights.pretraining.Config(), {})
    names = model_names("lxmert_pretraining", (9, 5, 5))
    keys = {key for found in names.values() for key in found} | {TIED}
    assert len(keys) == 473
    assert keys == {key.replace("lxmert.", "bert.", 1) for key in published}
    assert set(names) == set(ours.state_dict())
    assert sum(parameter.numel() for parameter in ours.parameters()) == 228_051_752


@pytest.mark.parametrize("form", ["chiasm", "huggingface", "original"])
@pytest.mark.parametrize("begin", ["folder", "original"])
def test_there_and_back_is_bit_equal(
    theirs: Any, begin: str, form: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    between = tmp_path / ("between.pth" if form == "original" else "between")
    convert(request.getfixturevalue(begin), between, to=form)
    convert(between, tmp_path / "again", to="huggingface")
    loaded, report = LxmertForPreTraining.from_pretrained(tmp_path / "again", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert same(loaded.state_dict(), theirs.state_dict())
    assert loaded.config.num_attention_heads == (4 if begin == "folder" and form != "original" else 1)


def test_the_original_file_comes_back_key_by_key(original: Path, tmp_path: Path) -> None:
    convert(original, tmp_path / "ours")
    convert(tmp_path / "ours", tmp_path / "again.pth", module=True)
    back = torch.load(tmp_path / "again.pth", weights_only=True)
    assert same(back, torch.load(original, weights_only=True))


@pytest.mark.parametrize("module", [False, True])
def test_a_fine_tuned_file_of_the_original_code_goes_both_ways(asking: Any, module: bool, tmp_path: Path) -> None:
    prefix = "lxrt_encoder.model." + ("module." if module else "")
    state = asking.state_dict()
    file = {
        key.replace("lxmert.", f"{prefix}bert.", 1) if key.startswith("lxmert.") else key.replace("answer_head.", ""): t
        for key, t in state.items()
    }
    torch.save(file, tmp_path / "BEST.pth")
    convert(tmp_path / "BEST.pth", tmp_path / "hf", to="huggingface")
    assert same(load_file(tmp_path / "hf" / "model.safetensors"), dict(state))
    convert(tmp_path / "hf", tmp_path / "again.pth", module=module)
    assert same(torch.load(tmp_path / "again.pth", weights_only=True), file)


def test_a_file_without_the_tied_table_is_whole(original: Path, tmp_path: Path) -> None:
    state = torch.load(original, weights_only=True)
    table = state.pop(f"module.{TIED}")
    torch.save(state, tmp_path / "less.pth")
    assert torch.equal(weights.read(tmp_path / "less.pth").tensors["encoder.text_embedding.words.weight"], table)


def test_a_second_table_that_differs_is_refused(original: Path, tmp_path: Path) -> None:
    state = torch.load(original, weights_only=True)
    state[f"module.{TIED}"] = state[f"module.{TABLE}"] + 1
    torch.save(state, tmp_path / "untied.pth")
    with pytest.raises(WeightsError, match=r"cls\.predictions\.decoder\.weight differs from bert\.embeddings"):
        weights.read(tmp_path / "untied.pth")


def broken(original: Path, tmp_path: Path, change: Any) -> Path:
    state = torch.load(original, weights_only=True)
    change(state)
    torch.save(state, tmp_path / "broken.pth")
    return tmp_path / "broken.pth"


def test_a_missing_and_an_unexpected_key_are_named(original: Path, tmp_path: Path) -> None:
    def change(state: dict[str, Tensor]) -> None:
        state["module.bert.pooler.dense.gain"] = state.pop("module.bert.pooler.dense.bias")

    with pytest.raises(WeightsError, match=r"missing: bert\.pooler\.dense\.bias; 1 unexpected: bert\.pooler\.dense\.g"):
        convert(broken(original, tmp_path, change), tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


def test_a_missing_tensor_whose_size_is_read_off_is_named(original: Path, tmp_path: Path) -> None:
    def change(state: dict[str, Tensor]) -> None:
        del state["module.answer_head.logit_fc.3.weight"]

    with pytest.raises(WeightsError, match=r"1 missing: answer_head\.logit_fc\.3\.weight"):
        weights.read(broken(original, tmp_path, change))


def test_a_tensor_of_another_shape_is_named(original: Path, tmp_path: Path) -> None:
    def change(state: dict[str, Tensor]) -> None:
        state["module.cls.seq_relationship.bias"] = torch.zeros(3)

    with pytest.raises(WeightsError, match=r"matching_head\.bias is \(3,\), not \(2,\)"):
        weights.read(broken(original, tmp_path, change))


def test_the_same_tensor_under_two_names_is_refused(original: Path, tmp_path: Path) -> None:
    def change(state: dict[str, Tensor]) -> None:
        state[TABLE] = state[f"module.{TABLE}"]

    with pytest.raises(WeightsError, match=r"two tensors are bert\.embeddings\.word_embeddings\.weight"):
        weights.read(broken(original, tmp_path, change))


class Trap:
    """What a pickle runs when it is read without restraint."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return (Path.touch, (self.place,))


def test_a_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    torch.save({"bert.x": Trap(tmp_path / "ran")}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="read in no other way"):
        weights.read(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


def test_other_weights_and_other_files_are_refused(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.ones(2)}, tmp_path / "other.pth")
    torch.save({"epoch": 3}, tmp_path / "run.pth")
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10")
    for name, message in (
        ("other.pth", "no weights of LXMERT"),
        ("run.pth", "a state dict is expected"),
        ("text.txt", "weights end in"),
        ("cut.safetensors", "cannot be read"),
        ("nowhere", "neither a file, nor a folder"),
        (".", "holds neither model.safetensors"),
    ):
        with pytest.raises(WeightsError, match=message):
            weights.read(tmp_path / name)


def test_what_is_there_is_not_overwritten_unasked(original: Path, tmp_path: Path) -> None:
    convert(original, tmp_path / "ours")
    with pytest.raises(WeightsError, match="is there already"):
        convert(original, tmp_path / "ours")
    convert(original, tmp_path / "ours", overwrite=True)
    (tmp_path / "ours" / "thesis.tex").write_text("mine")
    with pytest.raises(WeightsError, match=r"holds other things \(thesis\.tex\)"):
        convert(original, tmp_path / "ours", overwrite=True)


@torch.no_grad()
def test_separate_cross_attention_begins_as_a_copy_of_the_shared_one(
    original: Path, batch: Batch, tmp_path: Path
) -> None:
    convert(original, tmp_path / "shared")
    convert(original, tmp_path / "separate", shared_cross_attention=False)
    shared, separate = from_pretrained(tmp_path / "shared"), from_pretrained(tmp_path / "separate")
    assert difference(shared(batch).scores["answer"], separate(batch).scores["answer"]) < 1e-5
    with pytest.raises(WeightsError, match="no published form"):
        convert(tmp_path / "separate", tmp_path / "back.pth")


def test_two_images_have_no_class_in_transformers(tmp_path: Path) -> None:
    with torch.device("meta"):
        model = Lxmert(weights.answering.Config(num_images=2, num_labels=2, **SMALL), {})
    state = {name: torch.zeros(tensor.shape) for name, tensor in model.state_dict().items()}
    found = weights.Weights("lxmert", model.config, state, "chiasm")
    with pytest.raises(WeightsError, match="reads 2 images"):
        weights._huggingface(found)
    back = weights._theirs(weights.Source(weights._original(found, module=False)))
    assert back.config.num_images == 2
    assert back.tensors.keys() == state.keys()


SMALL = {
    "vocab_size": 90, "hidden_size": 64, "num_attention_heads": 1, "intermediate_size": 96, "feature_size": 20,
    "language_layers": 1, "object_layers": 1, "cross_layers": 1,
}  # fmt: skip


def test_a_repository_on_the_hub_is_downloaded_and_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(name: str, *, allow_patterns: list[str]) -> str:
        asked.append(name)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert isinstance(from_pretrained("unc-nlp/lxmert-base-uncased"), LxmertPretraining)
    assert asked == ["unc-nlp/lxmert-base-uncased"]


def test_weights_in_several_files_are_joined(theirs: Any, tmp_path: Path) -> None:
    theirs.save_pretrained(tmp_path / "parts", max_shard_size="100KB")
    assert (tmp_path / "parts" / "model.safetensors.index.json").is_file()
    assert len(weights.read(tmp_path / "parts").tensors) == len(model_names("lxmert_pretraining", (3, 2, 2)))


def test_every_family_that_converts_says_how() -> None:
    assert "lxmert" in weights_names()
    for name in weights_names():
        if hasattr(family(name), "convert"):
            assert family(name).FORMATS
