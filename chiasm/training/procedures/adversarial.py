"""Adversarial training: the loss of the inputs, and of the same inputs moved where the loss grows fastest.

    L = L(u) + L(u + epsilon g / |g|_2),    g = dL(u)/du

(Goodfellow et al. 2015, Miyato et al. 2017, COIN's equation 6.) u is what leaves one module of the model, named by
`at`: extracted features, or word vectors. The perturbation is a constant: no gradient passes through g, and none of
computing g is left in the parameters. The second pass draws its own dropout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from chiasm.batch import Batch
from chiasm.models import CrossModalModel
from chiasm.training.errors import RecipeError
from chiasm.training.learner import GradientLearner, model_losses
from chiasm.training.loop import Loop
from chiasm.training.predict import evaluating
from chiasm.training.setup import Outcome, Setup

SMALLEST = 1e-12  # a gradient of exactly zero moves nothing
Level = Literal["sample", "utterance", "batch"]


def run(setup: Setup, *, epsilon: float = 5.0, level: Level = "sample", at: str = "utterances") -> Outcome:
    """Train `setup.model` on ordinary and moved inputs; the weights of the best validation stay in it.

    - `epsilon`: the length of the move, in the unit of the features: 5 is little for raw ones of norm 50 and much
      for normalised ones
    - `level`: what has the length epsilon: the whole input of one example, each of its vectors, or the batch
    - `at`: the module of the model whose output is moved

    Raises `RecipeError` when the model has no such module.
    """
    if epsilon <= 0:
        raise RecipeError(f"training.procedure_options.epsilon: must be above 0, got {epsilon}")
    module = perturbed_module(setup.model, at)
    whole, vector = input_norms(setup, module)
    setup.progress.note(
        f"adversarial: each {level} is moved by {epsilon:g}; the inputs' mean norm is {whole:.3g}, "
        f"of one vector {vector:.3g}"
    )

    def losses(wrapped: nn.Module, model: CrossModalModel, batch: Batch) -> Mapping[str, Tensor]:
        return adversarial_losses(wrapped, model, batch, module, epsilon=epsilon, level=level)

    learner = GradientLearner(setup.model, setup.options, setup.accelerator, losses)
    try:
        return Loop(setup, learner).run()
    finally:
        setup.accelerator.unwrap_model(setup.model, keep_fp32_wrapper=False)


def perturbed_module(model: CrossModalModel, at: str) -> nn.Module:
    """The module called `at`. Raises `RecipeError` naming those that there are."""
    try:
        return model.get_submodule(at)
    except AttributeError as error:
        known = ", ".join(name for name, _ in model.named_children())
        raise RecipeError(f"training.procedure_options.at: this model has no module {at!r}; it has {known}") from error


def input_norms(setup: Setup, module: nn.Module, *, examples: int = 64) -> tuple[float, float]:
    """The mean norm of what is moved, of the first training examples: of a whole input, and of a real vector in it."""
    seen: list[Tensor] = []
    batch = setup.train.batch(torch.arange(min(examples, len(setup.train)))).to(setup.accelerator.device)
    setup.model.to(setup.accelerator.device)
    with evaluating(setup.model), torch.no_grad(), _output_of(module, lambda u: _kept(u, seen)):
        setup.model(batch)
    u = torch.cat(seen).float()
    vectors = torch.linalg.vector_norm(u, dim=-1)
    real = vectors[vectors > 0]
    return float(u.flatten(1).norm(dim=1).mean()), float(real.mean()) if len(real) else 0.0


def adversarial_losses(
    wrapped: nn.Module, model: CrossModalModel, batch: Batch, module: nn.Module, *, epsilon: float, level: Level
) -> dict[str, Tensor]:
    """head -> loss of the inputs; "adversarial/<head>" -> loss of the moved inputs."""
    seen: list[Tensor] = []
    with _output_of(module, lambda u: _watched(u, seen)):
        clean = model_losses(wrapped, model, batch)
    if len(seen) != 1:
        raise RecipeError(f"the module to perturb ran {len(seen)} times in one pass; it must run once")
    (gradient,) = torch.autograd.grad(torch.stack(list(clean.values())).sum(), seen, retain_graph=True)
    move = perturbation(gradient, epsilon=epsilon, level=level)
    with _output_of(module, lambda u: u + move):
        moved = model_losses(wrapped, model, batch)
    return {**clean, **{f"adversarial/{head}": loss for head, loss in moved.items()}}


def perturbation(gradient: Tensor, *, epsilon: float, level: Level = "sample") -> Tensor:
    """(B, ...), -> (B, ...): epsilon g / |g|_2, with the norm over an example, a vector, or the batch.

    # Differs: the paper does not say what the norm is taken over; here it is one example, history and query together.
    Padded slots have no gradient and stay where they are.
    """
    g = gradient.detach().float()
    if level == "utterance":
        norm = torch.linalg.vector_norm(g, dim=-1, keepdim=True)
    elif level == "sample":
        norm = torch.linalg.vector_norm(g.flatten(1), dim=1).view(-1, *[1] * (g.ndim - 1))
    else:
        norm = torch.linalg.vector_norm(g)
    return (epsilon * g / norm.clamp(min=SMALLEST)).to(gradient.dtype)


def _kept(u: Tensor, seen: list[Tensor]) -> Tensor:
    seen.append(u.detach())
    return u


def _watched(u: Tensor, seen: list[Tensor]) -> Tensor:
    """`u` itself, kept, and differentiable even when it comes straight from the data."""
    u = u if u.requires_grad else u.detach().requires_grad_()
    seen.append(u)
    return u


@contextmanager
def _output_of(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Inside the block the module gives `change` of its output."""

    def hook(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        return change(output)

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
