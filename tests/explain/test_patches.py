"""Evidence over image patches: relevance of each, faithfulness by hiding them, a stream that nobody else looks at."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from chiasm.batch import Batch, Images, Text
from chiasm.explain.attribution import attribute
from chiasm.explain.evidence import Step, observe
from chiasm.explain.explanation import patch_boxes
from chiasm.explain.methods import gradient_input, rollout
from chiasm.explain.probe import Probe, items, probe, with_patches
from chiasm.explain.propagation import at_answer, propagate
from chiasm.models import vit_bert, vit_lstm
from chiasm.models.vit_bert import VitBert
from chiasm.models.vit_lstm import VitLstm
from chiasm.objectives.answers import one_answer
from tests.explain.planted import COLOURS, ColourTask

GRID, CELL = 3, 4  # patches of a side, pixels of a patch
TOWER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
VISION = {**TOWER, "patch_size": CELL, "initializer_range": 0.2}
LANGUAGE = {**TOWER, "max_position_embeddings": 8, "initializer_range": 0.2}


def sample(size: int, generator: torch.Generator) -> tuple[Batch, Tensor]:
    """Grey pictures with one bright patch, whose level is the answer; and where that patch is."""
    places = torch.randint(0, GRID * GRID, (size,), generator=generator)
    answers = torch.randint(0, COLOURS, (size,), generator=generator)
    pixels = 0.1 * torch.randn(size, 3, GRID * CELL, GRID * CELL, generator=generator)
    patterns = torch.sin(torch.arange(COLOURS * 3 * CELL * CELL).float() * 1.7).view(COLOURS, 3, CELL, CELL)
    for row, (place, answer) in enumerate(zip(places.tolist(), answers.tolist(), strict=True)):
        y, x = divmod(place, GRID)
        pixels[row, :, y * CELL : (y + 1) * CELL, x * CELL : (x + 1) * CELL] += 2 * patterns[answer]
    ids = torch.tensor([[1, 3, 4, 2]]).expand(size, -1)
    text = Text(ids, torch.ones_like(ids, dtype=torch.bool))
    batch = Batch(text=text, images=Images(pixels), targets={"answer": answers}, ids=tuple(map(str, range(size))))
    return batch, places


@pytest.fixture(scope="module")
def model() -> VitBert:
    """It has learnt to read the bright patch."""
    torch.manual_seed(0)
    config = vit_bert.Config(
        vocab_size=8, num_labels=COLOURS, image_size=GRID * CELL, vision=VISION, language=LANGUAGE, head_dropout=0.0
    )
    trained, generator = VitBert(config, {"answer": one_answer}), torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(trained.parameters(), lr=3e-3)
    for _ in range(150):
        batch, _ = sample(64, generator)
        optimiser.zero_grad()
        trained.losses(trained(batch), batch)["answer"].backward()
        optimiser.step()
    return trained.eval()


def asked(model: VitBert, seed: int = 7, size: int = 20) -> list[tuple[Probe, int]]:
    batch, places = sample(size, torch.Generator().manual_seed(seed))
    return [(probe(model, ColourTask(), batch[i]), int(places[i])) for i in range(size)]


def test_it_learnt_what_was_planted(model: VitBert) -> None:
    batch, _ = sample(200, torch.Generator().manual_seed(3))
    with torch.no_grad():
        right = model(batch).scores["answer"].argmax(1) == batch.targets["answer"]
    assert float(right.float().mean()) > 0.95


@pytest.mark.parametrize(
    ("method", "least"),
    [("integrated_gradients", 14), ("rollout", 14), ("attention_gradient", 10), ("gradient_input", 7)],
)
def test_the_bright_patch_is_found(model: VitBert, method: str, least: int) -> None:
    """Of 20; by chance 2, and more than 6 in fewer than one of 200 draws."""
    found = 0
    for one, place in asked(model):
        (attribution,) = attribute(one, [method], random_orders=2)
        relevance = attribution.relevance["images"]
        assert relevance.shape == (1, 1 + GRID * GRID)
        found += int(relevance[0, 1:].argmax()) == place
    assert found >= least


def test_hiding_patches_by_relevance_is_better_than_by_chance(model: VitBert) -> None:
    areas, random = [], []
    for one, _ in asked(model, size=8):
        (attribution,) = attribute(one, ["attention_gradient"], random_orders=4)
        score = attribution.faithfulness["images"]
        areas.append(score.area)
        random.append(score.random.value)
    assert sum(areas) / 8 > sum(random) / 8 + 0.2


def test_only_patches_can_be_hidden_never_the_class_token(model: VitBert) -> None:
    batch, _ = sample(2, torch.Generator().manual_seed(1))
    seen = with_patches(model, batch)
    assert seen.images is not None
    there = items(seen.images)
    assert there is not None
    assert there.tolist() == [[False] + [True] * GRID * GRID] * 2
    assert items(Images(torch.zeros(1, 3, 4, 4))) is None


def test_rollout_shares_out_one_between_the_words_and_the_patches(model: VitBert) -> None:
    found = rollout.attribute(asked(model, size=1)[0][0])
    assert {name: tuple(r.shape) for name, r in found.items()} == {"text": (1, 4), "images": (1, 1 + GRID * GRID)}
    assert sum(float(r.sum()) for r in found.values()) == pytest.approx(1.0, abs=1e-5)
    assert float(found["images"].sum()) == pytest.approx(0.5, abs=1e-5)


def test_a_stream_that_is_looked_at_is_read_there_and_not_by_itself() -> None:
    half = torch.full((1, 1, 2, 2), 0.5)
    apart = [Step("text", "text", half), Step("images", "images", half)]
    joined = [*apart, Step("text", "images", half)]
    for steps, share in ((apart, 0.5), (joined, 1.0)):
        held = propagate(steps, [s.weights[:, 0] for s in steps], lambda own, given: (own + given) / 2)
        found = at_answer(held, steps)
        assert float(found["images"].sum()) == pytest.approx(0.5)
        assert float(found["text"].sum() + found["images"].sum()) == pytest.approx(1.0)
        assert float(found["text"].sum()) == pytest.approx(1 - 0.5), share


def test_gradient_times_input_is_the_slope_of_the_score(model: VitBert) -> None:
    """Scaling one embedded patch by 1 + h changes the score by h times its relevance."""
    one, place = asked(model, size=1)[0]
    relevance = gradient_input.attribute(one)["images"][0, 1 + place]
    size = 1e-3

    def larger(_: object, __: object, vectors: Tensor) -> Tensor:
        scaled = vectors.clone()
        scaled[:, 1 + place] *= 1 + size
        return scaled

    table = model.get_image_embeddings()
    assert table is not None
    with torch.no_grad():
        before = one.score(model(one.batch))
        hook = table.register_forward_hook(larger)
        after = one.score(model(one.batch))
        hook.remove()
    assert float(after - before) / size == pytest.approx(float(relevance), rel=0.1, abs=0.02)


def test_two_images_have_relevance_of_their_own() -> None:
    config = vit_lstm.Config(
        vocab_size=8,
        num_labels=COLOURS,
        num_images=2,
        image_size=GRID * CELL,
        vision=VISION,
        hidden_size=8,
        word_size=4,
    )
    torch.manual_seed(0)
    early = VitLstm(config, {"answer": one_answer}).eval()
    batch, _ = sample(2, torch.Generator().manual_seed(1))
    assert batch.images is not None
    pair = replace(batch[:1], images=replace(batch.images, index=torch.tensor([[0, 1]])))
    found = attribute(probe(early, ColourTask(), pair), ["rollout", "gradient_input"], random_orders=2)
    for attribution in found:
        assert attribution.relevance["images"].shape == (2, 1 + GRID * GRID)
        assert attribution.faithfulness["images"].hidden.shape == (11,)
    _, maps = observe(early, pair)
    assert maps[0].layers[0].shape == (2, 2, 1 + GRID * GRID, 1 + GRID * GRID)


def test_patches_lie_row_by_row() -> None:
    boxes = patch_boxes(4)
    assert boxes.tolist() == [[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]]
