"""What must hold of every conversation model: nothing later, nobody's name and no padding changes an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Dialogue
from chiasm.data.conversation import Conversation, examples_of
from chiasm.data.dialogue import Preprocess
from chiasm.data.example import Example
from chiasm.models import model
from chiasm.objectives.answers import one_answer

MODELS = ("coin", "icon", "cmn", "bc_lstm", "dialogue_rnn", "dialogue_gcn")
Fill = Callable[..., nn.Module]


def conversation(length: int = 9, parties: int = 3, seed: int = 0) -> Conversation:
    random = np.random.default_rng(seed)
    names = tuple(f"P{i}" for i in random.integers(0, parties, length))
    features = {"text": random.normal(size=(length, 5)).astype(np.float32)}
    return Conversation(f"talk{seed}", names, None, features)


def examples(talk: Conversation) -> list[Example]:
    return examples_of(talk, ["a"] * len(talk))


def build(name: str, formula: Fill, **options: Any) -> nn.Module:
    file = model(name)
    made = file.Model(file.Config(feature_size=5, num_labels=3, hidden_size=4, **options), {"answer": one_answer})
    return formula(made, low=-1.0, high=1.0).eval()


def scores(network: nn.Module, talk: Conversation, positions: list[int], **options: Any) -> Tensor:
    encoded = Preprocess(modalities=["text"], **options).fit(examples(talk)).encode(examples(talk))
    with torch.no_grad():
        return network(Batch(dialogue=encoded.gather(torch.tensor(positions)))).scores["answer"]


def changed(talk: Conversation, position: int) -> Conversation:
    table = talk.features["text"].copy()
    table[position] += 3.0
    return replace(talk, features={"text": table})


@pytest.mark.parametrize("name", MODELS)
def test_what_is_said_later_does_not_change_an_answer_without_a_future(name: str, formula_weights: Fill) -> None:
    network, talk = build(name, formula_weights), conversation()
    before = scores(network, talk, [4])
    for later in (5, 6, 8):
        assert torch.equal(scores(network, changed(talk, later), [4]), before)
    assert not torch.equal(scores(network, changed(talk, 2), [4]), before)
    assert not torch.equal(scores(network, changed(talk, 4), [4]), before)


@pytest.mark.parametrize("name", MODELS)
def test_a_window_with_a_future_reads_it(name: str, formula_weights: Fill) -> None:
    network, talk = build(name, formula_weights), conversation()
    before = scores(network, talk, [4], future=3)
    assert not torch.equal(scores(network, changed(talk, 6), [4], future=3), before)
    assert torch.equal(scores(network, changed(talk, 8), [4], future=3), before)


@pytest.mark.parametrize("name", MODELS)
def test_the_speakers_names_do_not_matter_but_who_speaks_does(name: str, formula_weights: Fill) -> None:
    network, talk = build(name, formula_weights), conversation()
    swapped = {"P0": "P2", "P1": "P0", "P2": "P1"}
    renamed = replace(talk, speakers=tuple(swapped[s] for s in talk.speakers))
    positions = list(range(len(talk)))
    before = scores(network, talk, positions)
    torch.testing.assert_close(scores(network, renamed, positions), before, atol=1e-6, rtol=1e-5)
    one = replace(talk, speakers=("P0",) * len(talk))
    assert torch.equal(scores(network, one, positions), before) == (name == "bc_lstm")


@pytest.mark.parametrize("name", MODELS)
def test_how_much_is_padded_does_not_change_an_answer(name: str, formula_weights: Fill) -> None:
    network, talk = build(name, formula_weights), conversation()
    together = scores(network, talk, list(range(len(talk))))  # the first utterances are padded to the longest history
    alone = torch.cat([scores(network, talk, [position]) for position in range(len(talk))])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(scores(network, talk, [3], history=10), scores(network, talk, [3], history=40))


@pytest.mark.parametrize("name", MODELS)
def test_the_first_utterance_of_a_dialogue_has_a_finite_loss_and_gradient(name: str, formula_weights: Fill) -> None:
    network, talk = build(name, formula_weights), conversation()
    encoded = Preprocess(modalities=["text"]).fit(examples(talk)).encode(examples(talk))
    batch = Batch(dialogue=encoded.gather(torch.tensor([0, 0])), targets={"answer": torch.tensor([0, 1])})
    network.train()
    torch.stack(list(network.losses(network(batch), batch).values())).sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_answers_are_the_same_twice_because_dropout_is_off(name: str, formula_weights: Fill) -> None:
    network, talk = build(name, formula_weights), conversation()
    assert torch.equal(scores(network, talk, [5, 6]), scores(network, talk, [5, 6]))


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_without_dialogues_is_refused(name: str, formula_weights: Fill) -> None:
    with pytest.raises(ValueError, match=r"add a \[dialogue\] section"):
        build(name, formula_weights)(Batch())


def test_without_mutual_interaction_a_state_does_not_know_the_other_speaker(formula_weights: Fill) -> None:
    """The ablation differs in the gates only: where they are 1, both models say the same."""
    full = build("coin", formula_weights)
    ablated = build("coin", formula_weights, mutual_interaction=False)
    ablated.load_state_dict({k: v for k, v in full.state_dict().items() if "interaction" not in k})
    for name, parameter in full.named_parameters():
        if "interaction" in name:
            parameter.data.fill_(100.0 if name.endswith("bias") else 0.0)
    talk = conversation()
    torch.testing.assert_close(scores(full, talk, [5, 8]), scores(ablated, talk, [5, 8]))


def test_the_paper_size_has_the_parameters_that_its_equations_say() -> None:
    file = model("coin")
    coin = file.Model(file.Config(), {"answer": one_answer})
    d, f, classes = 100, 712, 6
    gru = lambda n: 2 * (3 * d * (n + d) + 2 * 3 * d)  # noqa: E731 - both directions, torch's two biases
    speakers, gates = 2 * gru(f), 2 * 2 * (d * d + d)
    stacks = 3 * (gru(2 * d) + 3 * (2 * d) ** 2)
    ends = f * 2 * d + 2 * d + 2 * d * classes + classes
    assert sum(p.numel() for p in coin.parameters()) == speakers + gates + stacks + ends


def test_words_and_features_are_read_side_by_side() -> None:
    talk = replace(conversation(), texts=tuple(f"word{i} here" for i in range(9)))
    prepared = Preprocess(modalities=["text"], vocabulary="train", vocabulary_size=100).fit(examples(talk))
    file = model("coin")
    torch.manual_seed(0)
    coin = file.Model(file.Config(**prepared.facts, num_labels=3, hidden_size=4, text_size=6, word_size=5), {}).eval()
    dialogue = prepared.encode(examples(talk)).gather(torch.tensor([4, 8]))
    assert coin.utterances(dialogue).shape == (2, 9, 11)
    other = replace(talk, texts=("else", *talk.texts[1:]))  # type: ignore[index]
    moved = prepared.encode(examples(other)).gather(torch.tensor([4, 8]))
    with torch.no_grad():
        a, b = coin(Batch(dialogue=dialogue)).scores["answer"], coin(Batch(dialogue=moved)).scores["answer"]
    assert not torch.equal(a, b)


def test_a_model_for_words_refuses_dialogues_without_words() -> None:
    file = model("coin")
    coin = file.Model(file.Config(feature_size=5, vocab_size=20, num_labels=3), {})
    dialogue = Dialogue(torch.zeros(1, 2, 5), torch.zeros(1, 2).long(), torch.ones(1, 2).bool(), torch.tensor([1]))
    with pytest.raises(ValueError, match=r"give \[dialogue\] a vocabulary"):
        coin(Batch(dialogue=dialogue))
