"""Models that write: the printed parameter counts, steps equal to whole sentences, attention that sees no padding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Regions, Text
from chiasm.data.words import END, START
from chiasm.layers.recording import record
from chiasm.models import attend, conv_translation, gru_translation, tell, up_down
from chiasm.models._words import GENERATED, HELD, WritingModel
from chiasm.objectives.words import next_word

WORDS = 23
SMALL = {"num_words": WORDS, "embedding_size": 12, "hidden_size": 12, "beam_size": 3, "max_words": 6, "dropout": 0.0}
MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "up_down": (up_down, {"feature_size": 7, "attention_size": 9}),
    "tell": (tell, {"feature_size": 7}),
    "attend": (attend, {"feature_size": 7, "attention_size": 9}),
    "gru_translation": (gru_translation, {"vocab_size": 31, "output_size": 12}),
    "conv_translation": (conv_translation, {"vocab_size": 31, "output_size": 12, "max_positions": 20}),
}
every = pytest.mark.parametrize("name", MODELS)


def small(name: str, **options: Any) -> WritingModel:
    file, own = MODELS[name]
    torch.manual_seed(0)
    model: WritingModel = file.Model(file.Config(**{**SMALL, **own, **options}), {"words": next_word})
    return model.eval()


def batch(name: str, *, taught: bool = True) -> Batch:
    generator = torch.Generator().manual_seed(1)
    words = torch.tensor([[5, 9, 4, END], [7, END, -1, -1], [8, 8, END, -1]])[..., None]
    targets = {"words": words} if taught else {}
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2, [True] * 4 + [False]])
    if "translation" in name:
        return Batch(text=Text(torch.randint(4, 31, (3, 5), generator=generator), mask), targets=targets)
    features = torch.randn(3, 5, 7, generator=generator)
    return Batch(regions=Regions(features, torch.rand(3, 5, 4, generator=generator), mask), targets=targets)


def count(config: Any, file: Any) -> int:
    with torch.device("meta"):
        model = file.Model(config, {"words": next_word})
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def test_attend_has_the_tutorials_parameters_and_fixing_saves_one_matrix() -> None:
    trained, fixed = (count(attend.Config(targets=t), attend) for t in ("trained", "fixed"))
    assert trained == 20_483_859  # what the paper prints for fixed targets: one matrix is counted twice there
    assert fixed == 15_624_979
    assert 25_342_739 - 20_483_859 == trained - fixed == 512 * 9490


@pytest.mark.parametrize(("source", "target", "trained"), [(7853, 5893, 13_893_381), (5893, 7853, 14_898_861)])
def test_multi30k_has_the_printed_parameters(source: int, target: int, trained: int) -> None:
    config = gru_translation.Config(vocab_size=source, num_words=target)
    assert count(config, gru_translation) == trained
    assert count(replace(config, targets="fixed", fix_bias=True), gru_translation) == 10_870_272


def test_without_the_layer_before_its_last_the_gru_model_is_the_public_one() -> None:
    """Sheet `fixed_targets`, section 10: a classifier of [s; c; e] itself."""
    with torch.device("meta"):
        model = gru_translation.Model(gru_translation.Config(vocab_size=7853, num_words=5893), {"words": next_word})
    last = sum(p.numel() for part in (model.output, model.targets) for p in part.parameters())
    everything = sum(p.numel() for p in model.parameters())
    assert everything - last + (model.output.weight.shape[1] + 1) * 5893 == 20_518_405


def test_sentences_longer_than_the_table_of_places_are_refused() -> None:
    with pytest.raises(ValueError, match="max_words 30 is more than max_positions 20"):
        small("conv_translation", max_words=30)
    model, given = small("conv_translation"), batch("conv_translation")
    long = Batch(text=Text(torch.full((1, 21), 5), torch.ones(1, 21, dtype=torch.bool)))
    with pytest.raises(
        ValueError, match=r"to translate of 21 words is longer than the model's 20 places; lower \[text\]"
    ):
        model(long)
    taught = replace(given, targets={"words": torch.full((3, 21, 1), 5)})
    with pytest.raises(ValueError, match=r"a translation of 21 words is longer .* lower \[task\] max_words"):
        model(taught)


def test_words_are_drawn_in_no_groups() -> None:
    with pytest.raises(ValueError, match="groups is 2, and decoding 'nucleus' has no beams"):
        small("tell", decoding="nucleus", beam_size=4, groups=2)


@every
def test_a_row_without_a_sentence_changes_nothing_for_the_others(name: str) -> None:
    model, given = small(name), batch(name)
    silent = given.targets["words"].clone()
    silent[1] = -1
    others = given[torch.tensor([0, 2])]
    expected = model.losses(model(others), others)
    mixed = replace(given, targets={"words": silent})
    torch.testing.assert_close(model.losses(model(mixed), mixed), expected)


def test_fixing_the_convolutional_model_saves_the_printed_difference() -> None:
    trained = count(conv_translation.Config(), conv_translation)
    fixed = count(conv_translation.Config(targets="fixed", fix_bias=True), conv_translation)
    assert trained - fixed == 36_267_832 - 28_043_832 == 257 * 32_000


@every
def test_a_sentence_step_by_step_is_the_sentence_at_once(name: str) -> None:
    model, given = small(name), batch(name)
    words = given.targets["words"][..., 0]
    so_far = torch.cat([torch.full((3, 1), START), words[:, :-1].clamp(min=0)], 1)
    state = model.start(given)
    features, looks = model.follow(state, so_far)
    for place in range(words.shape[1]):
        scores, state = model.step(state, so_far[:, place : place + 1])
        torch.testing.assert_close(scores[:, 0], model.targets(features[:, place]), atol=1e-5, rtol=1e-5)
    if looks is not None:
        mask = (given.text or given.regions).attention_mask  # type: ignore[union-attr]
        assert not (looks * ~mask[:, None]).any()
        torch.testing.assert_close(looks.sum(-1), torch.ones(3, 4))


@every
def test_the_found_sentence_has_the_probability_that_the_search_gave_it(name: str) -> None:
    model, given = small(name), batch(name, taught=False)
    with torch.inference_mode():
        output = model(given)
    said = output.states[GENERATED][:, 0]
    lengths = (said != 0).sum(1)
    torch.testing.assert_close(output.scores["words"] * lengths, output.states["log_probabilities"][:, 0])


@every
def test_a_held_sentence_is_scored_whatever_the_input(name: str) -> None:
    model, given = small(name), batch(name, taught=False)
    with torch.inference_mode():
        output = model(given)
        held = model.hold(given, output)
        again = model(held)
    torch.testing.assert_close(again.scores["words"], output.scores["words"])
    assert torch.equal(again.states[GENERATED][:, 0], held.targets[HELD])
    if given.regions is not None:
        with torch.inference_mode():
            darker = model(replace(held, regions=replace(given.regions, features=given.regions.features * 0)))
        assert torch.equal(darker.states[GENERATED], again.states[GENERATED])
        assert not torch.allclose(darker.scores["words"], again.scores["words"])


@every
def test_nothing_is_searched_while_gradients_are_recorded(name: str) -> None:
    model = small(name)
    assert GENERATED not in model(batch(name)).states
    with torch.no_grad():
        assert GENERATED in model(batch(name)).states


@every
def test_looks_are_recorded_once_for_the_sentence_that_is_said(name: str) -> None:
    model, given = small(name), batch(name)
    with torch.inference_mode(), record(model) as seen:
        output = model(given)
    for evidence in model.evidence():
        (looks,) = seen[evidence.modules[0]]
        assert looks.shape == (3, 1, output.states[GENERATED].shape[-1], 5)


def test_attend_is_pushed_to_look_at_every_cell_once() -> None:
    model, given = small("attend"), batch("attend")
    output = model(given)
    looks, real = output.states["attention"], given.targets["words"][..., 0] >= 0
    wanted = []
    for row in range(3):
        sums = looks[row][real[row]].sum(0)
        assert given.regions is not None
        assert given.regions.attention_mask is not None
        wanted += [(1 - s) ** 2 for s in sums[given.regions.attention_mask[row]]]
    torch.testing.assert_close(model.losses(output, given)["attention"], torch.stack(wanted).mean())


def test_the_gru_attention_is_bahdanaus(formula_weights: Callable[..., nn.Module]) -> None:
    model, given = small("gru_translation"), batch("gru_translation")
    formula_weights(model, low=-0.5, high=0.5)
    state = model.start(given)
    assert isinstance(model, gru_translation.GruTranslation)
    attention, states, hidden = model.attention, state.memory["states"], state.beams["hidden"][:, 0]
    weight = torch.cat([attention.query.weight, attention.keys.weight], 1)  # one layer of [s; h], as in the paper
    energy: list[Tensor] = []
    for place in range(5):
        both = torch.cat([hidden, states[:, place]], 1)
        energy.append(torch.tanh(both @ weight.T + attention.keys.bias) @ attention.score.weight[0])
    assert given.text is not None
    scores = torch.stack(energy, 1).masked_fill(~given.text.attention_mask, -1e9)
    _, looks, _ = model.features(state, model.embed(torch.full((3, 1), START)))
    torch.testing.assert_close(looks[:, 0], scores.softmax(1), atol=1e-6, rtol=1e-5)


def test_the_tutorials_initial_weights_make_every_word_as_likely_with_tied_targets_too() -> None:
    own, tutorials = (
        small("gru_translation", targets="tied", num_words=400, initial_deviation=deviation)
        for deviation in (0.0, 0.01)
    )
    given = batch("gru_translation")
    uniform = torch.tensor(400.0).log()
    torch.testing.assert_close(tutorials.losses(tutorials(given), given)["words"], uniform, atol=0.01, rtol=0)
    assert own.losses(own(given), given)["words"] > uniform + 0.1  # where the tutorial's trouble would begin
    weights = torch.cat([p.detach().flatten() for n, p in tutorials.named_parameters() if "weight" in n])
    assert 0.0095 < float(weights.std()) < 0.0105
    assert not any(p.any() for n, p in tutorials.named_parameters() if "bias" in n)


def test_a_step_of_up_down_is_the_papers(formula_weights: Callable[..., nn.Module]) -> None:
    model, given = small("up_down"), batch("up_down")
    formula_weights(model, low=-0.5, high=0.5)
    assert isinstance(model, up_down.UpDown)
    assert given.regions is not None
    features, zero = given.regions.features[:1], torch.zeros(1, 12)
    whole, parts = torch.relu(model.whole(features.mean(1))), torch.relu(model.parts(features))
    word = torch.relu(model.words.weight[START])[None]
    first = model.top_down
    weight = torch.cat([first.input.weight, *(layer.weight for layer in first.earlier)], 1)  # one layer of [h2; v; e]
    gates = torch.cat([zero, whole, word], 1) @ weight.T + first.input.bias + first.hidden.bias
    i, _, g, o = gates.chunk(4, 1)
    h1 = o.sigmoid() * torch.tanh(i.sigmoid() * g.tanh())
    compared = torch.tanh(model.attention.keys(parts) + model.attention.query(h1)[:, None])
    weights = (compared @ model.attention.score.weight[0]).softmax(1)
    h2, _ = model.language(torch.cat([(weights[..., None] * parts).sum(1), h1], 1), zero, zero)
    scores, _ = model.step(model.start(given[:1]), torch.tensor([[START]]))
    torch.testing.assert_close(scores[0, 0], model.targets(h2)[0], atol=1e-6, rtol=1e-5)


def test_fixed_targets_are_drawn_again_and_not_trained() -> None:
    model = small("up_down", targets="fixed", target_seed=4)
    assert isinstance(model.targets.weight, Tensor)
    before = model.targets.weight.clone()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    given = batch("up_down")
    model.losses(model(given), given)["words"].backward()
    optimiser.step()
    assert torch.equal(model.targets.weight, before)
    assert not [key for key in model.state_dict() if key.startswith("targets.weight")]
    torch.manual_seed(99)
    other = up_down.Model(model.config, {"words": next_word})
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.targets.weight, before)


def test_a_caption_of_two_images_is_refused() -> None:
    given = batch("tell", taught=False)
    assert given.regions is not None
    two = replace(given, regions=replace(given.regions, index=torch.tensor([[0, 1], [1, 2]])))
    with pytest.raises(ValueError, match="one image"):
        small("tell")(two)
