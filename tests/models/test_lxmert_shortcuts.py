"""Each exact shortcut of LXMERT gives the numbers of the plain path."""

from __future__ import annotations

import pytest
import torch

from chiasm.batch import Batch, Regions, Text
from chiasm.encoders.lengths import fewest_texts, last_positions, length_groups, trimmed
from chiasm.layers import kernels
from chiasm.layers.precision import set_precision
from chiasm.layers.recording import record
from chiasm.models.lxmert import Config, Lxmert

SIZES = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 60, "feature_size": 12}
ANSWERS = 5


def model(**changes: int) -> Lxmert:
    torch.manual_seed(0)
    config = Config(**{**SIZES, "language_layers": 2, "object_layers": 2, "cross_layers": 2, **changes})
    built = Lxmert(config, {}).eval()
    built.encoder.fewest_in_group = 8  # as at full width
    return built


def questions(rows: int, images: int, each: int = 1) -> Batch:
    """`rows` questions of 3 to 12 word pieces, padded to 12, about `images` images, `each` of them an example."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(12) < torch.randint(3, 13, (rows, 1), generator=generator)
    index = torch.randint(0, images, (rows, each), generator=generator)
    return Batch(
        text=Text(torch.randint(1, 60, (rows, 12), generator=generator) * mask, mask),
        regions=Regions(
            torch.rand(images, 6, 12, generator=generator), torch.rand(images, 6, 4, generator=generator), index=index
        ),
    )


def one_by_one(asked: Lxmert, batch: Batch) -> torch.Tensor:
    """Each example alone, its text without padding, its images its own."""
    scores = []
    for i in range(len(batch)):
        one = batch[i]
        assert one.text is not None
        scores.append(asked(Batch(text=trimmed(one.text), regions=one.regions)).scores["answer"])
    return torch.cat(scores)


@pytest.mark.parametrize("images", [1, 2])
@torch.no_grad()
def test_groups_of_like_length_answer_as_one_by_one(images: int) -> None:
    asked, batch = model(num_images=images), questions(40, 7, images)
    assert batch.text is not None
    assert len(length_groups(batch.text, 8)) == 5
    torch.testing.assert_close(asked(batch).scores["answer"], one_by_one(asked, batch), rtol=0, atol=1e-5)


@torch.no_grad()
def test_every_image_is_encoded_once_for_all_groups() -> None:
    asked = model()
    seen: list[int] = []
    asked.encoder.object_layers[0].register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    asked(questions(40, 7))
    assert seen == [7]


@torch.no_grad()
def test_recording_changes_no_answer_of_many_questions() -> None:
    asked, batch = model(), questions(40, 7)
    plain = asked(batch).scores["answer"]
    with record(asked) as recorded:
        watched = asked(batch).scores["answer"]
    assert torch.equal(plain, watched)
    for evidence in asked.evidence():
        assert [len(recorded[module]) for module in evidence.modules] == [1] * len(evidence.modules), evidence.title


def test_with_gradients_texts_pass_as_one() -> None:
    asked, batch = model(), questions(40, 7)
    with torch.no_grad():
        grouped = asked(batch).scores["answer"]
    torch.testing.assert_close(asked(batch).scores["answer"].detach(), grouped, rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_text_encoded_once_for_two_images_equals_it_written_twice() -> None:
    asked, batch = model(num_images=2), questions(3, 6, 2)
    assert batch.text is not None
    assert batch.regions is not None
    assert batch.regions.index is not None
    single = model()
    single.encoder.load_state_dict(asked.encoder.state_dict())
    doubled = Batch(
        text=Text(batch.text.input_ids.repeat_interleave(2, 0), batch.text.attention_mask.repeat_interleave(2, 0)),
        regions=Regions(
            batch.regions.features[batch.regions.index.flatten()], batch.regions.boxes[batch.regions.index.flatten()]
        ),
    )
    pooled = single(doubled).states["pooled"].view(3, -1)
    torch.testing.assert_close(asked(batch).states["pooled"], pooled, rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_other_kernel_gives_the_same_answers() -> None:
    asked, batch = model(), questions(40, 7)
    with kernels.using("default"):
        plain = asked(batch).scores["answer"]
    with kernels.using("onednn"):
        torch.testing.assert_close(asked(batch).scores["answer"], plain, rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
@torch.no_grad()
def test_rounded_answers_stay_near(precision: str) -> None:
    asked, batch = model(), questions(40, 7)
    exact = asked(batch).scores["answer"]
    set_precision(asked, precision)  # type: ignore[arg-type]
    rounded = asked(batch).scores["answer"].float()
    assert 0 < float((rounded - exact).abs().max()) < 0.2 * float(exact.std())


def test_texts_of_one_length_or_few_texts_are_one_group() -> None:
    mask = torch.ones(40, 12, dtype=torch.bool)
    assert len(length_groups(Text(mask.long(), mask), 8)) == 1
    few = questions(15, 7).text
    assert few is not None
    assert len(length_groups(few, 8)) == 1


def test_a_hidden_word_in_the_middle_is_no_end() -> None:
    mask = torch.tensor([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]).bool()
    assert last_positions(mask).tolist() == [4, 1, 0]
    assert trimmed(Text(mask.long(), mask)).input_ids.shape == (3, 4)


def test_narrow_models_have_larger_groups_and_leave_lengths_to_others() -> None:
    assert fewest_texts(768) == 8
    assert fewest_texts(128) == 288
    with torch.device("meta"):
        assert Lxmert(Config(), {}).groups_lengths()
        assert not Lxmert(Config(use_images=False), {}).groups_lengths()
        assert not Lxmert(Config(hidden_size=128, num_attention_heads=4), {}).groups_lengths()
