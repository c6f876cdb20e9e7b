"""Ordinary training: one model, one optimiser, the sum of the model's losses."""

from __future__ import annotations

from chiasm.training.learner import GradientLearner
from chiasm.training.loop import Loop
from chiasm.training.setup import Outcome, Setup


def run(setup: Setup) -> Outcome:
    """Train `setup.model` on `setup.train`; the weights of the best validation stay in it."""
    learner = GradientLearner(setup.model, setup.options, setup.accelerator)
    try:
        return Loop(setup, learner).run()
    finally:
        setup.accelerator.unwrap_model(setup.model, keep_fp32_wrapper=False)
