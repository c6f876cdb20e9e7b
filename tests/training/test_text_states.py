"""States of a fixed text encoder, read once for every distinct text: same answers, same training, one store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from chiasm.batch import States
from chiasm.data.columns import EncodedDataset
from chiasm.models.cmr import Cmr
from chiasm.training.errors import RecipeError
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.run import RunResult, train
from chiasm.training.text_states import with_states

QUICK = ["training.epochs=2", "training.trackers=[]", "data.world.statements=6"]


def tiny(*settings: str) -> Recipe:
    return load_recipe("cmr_nlvr2").tiny().with_settings([*QUICK, *settings])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return train(tiny(), out=tmp_path_factory.mktemp("cached"), show=False)


class Counter:
    """How many texts pass the language layers."""

    def __init__(self, model: Cmr) -> None:
        self.rows = 0
        self._handle = model.encoder.text_embedding.register_forward_hook(self._count)

    def _count(self, module: Any, inputs: Any, output: torch.Tensor) -> None:
        self.rows += len(output)

    def stop(self) -> int:
        self._handle.remove()
        return self.rows


def cached(run: RunResult, folder: Path, *datasets: EncodedDataset) -> tuple[list[EncodedDataset], int]:
    model = run.bundle.model
    assert isinstance(model, Cmr)
    counter = Counter(model)
    made = with_states(model, datasets, folder, batch_size=4)
    return made, counter.stop()


def test_every_distinct_statement_is_encoded_once(run: RunResult, tmp_path: Path) -> None:
    data = run.splits["train"]
    statements = {example.values["text"] for example in data.examples}
    assert len(statements) < len(data)  # each is said of several pairs of pictures
    made, encoded = cached(run, tmp_path, data, data)
    assert encoded == len(statements)
    counter = Counter(run.bundle.model)  # type: ignore[arg-type]
    with torch.no_grad():
        run.bundle.model(made[0].batch(torch.arange(len(data))))
    assert counter.stop() == 0
    assert cached(run, tmp_path, data)[1] == 0  # the store is there


def test_answers_are_the_same_with_states_from_the_store(run: RunResult, tmp_path: Path) -> None:
    data = run.splits["train"]
    (made,), _ = cached(run, tmp_path, data)
    some = torch.tensor([5, 0, 3, 1, 9, 8])
    with torch.no_grad():
        expected = run.bundle.model(data.batch(some)).scores["answer"]
        torch.testing.assert_close(run.bundle.model(made.batch(some)).scores["answer"], expected, atol=1e-6, rtol=1e-5)
    states = made.batch(some).more["text_states"]
    assert isinstance(states, States)
    assert states.num_examples == 6
    before, after = data.lengths(), made.lengths()
    assert before is not None
    assert after is not None
    assert torch.equal(before, after)


def test_training_is_that_without_a_cache(run: RunResult, tmp_path: Path) -> None:
    ordinary = train(tiny("training.procedure=ordinary"), out=tmp_path, show=False)
    expected = dict(ordinary.bundle.model.named_parameters())
    for name, parameter in run.bundle.model.named_parameters():
        torch.testing.assert_close(parameter, expected[name], atol=1e-5, rtol=1e-3)
    assert [p.answer for p in run.predictions["test"]] == [p.answer for p in ordinary.predictions["test"]]


def test_other_weights_and_other_padding_have_stores_of_their_own(run: RunResult, tmp_path: Path) -> None:
    data = run.splits["train"]
    cached(run, tmp_path, data)
    other = train(tiny("training.seed=1", "training.max_steps=1"), out=tmp_path / "seed", show=False)
    assert isinstance(other.bundle.model, Cmr)
    with_states(other.bundle.model, [data], tmp_path)
    settings = ("options.mask_padding=false", "training.max_steps=1", f"training.procedure_options.folder={tmp_path}")
    train(tiny(*settings), out=tmp_path / "padded", show=False)
    assert len([path for path in tmp_path.iterdir() if (path / "store.json").exists()]) == 3


def test_frozen_parts_are_in_evaluation_mode_and_not_in_the_optimiser(run: RunResult) -> None:
    from chiasm.training.learner import GradientLearner
    from chiasm.training.setup import accelerator_for

    model = Cmr(run.bundle.model.config, run.bundle.model.objectives)
    learner = GradientLearner(model, run.recipe.training, accelerator_for(run.recipe.training, run.out))
    trained = {id(p) for o in learner.optimisers.values() for g in o.param_groups for p in g["params"]}
    frozen = [p for module in model.fixed_parts()[1] for p in module.parameters()]
    assert frozen
    assert not any(id(p) in trained for p in frozen)
    assert trained == {id(p) for name, p in model.named_parameters() if name not in model.idle_parameters()}
    model.train()
    assert not any(m.training for module in model.fixed_parts()[1] for m in module.modules())


def test_a_text_encoder_that_is_trained_is_not_cached(tmp_path: Path) -> None:
    for setting in ("options.freeze_text=false", "options.single_modality=false"):
        with pytest.raises(RecipeError, match="freeze them"):
            train(tiny(setting), out=tmp_path / setting, show=False)
