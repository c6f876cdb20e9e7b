"""The vision transformer: equal to transformers' ViT, of the published size, blind to hidden patches."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chiasm.batch import Images
from chiasm.encoders.vit import PatchEmbedding, VisionTransformer, resized_positions
from chiasm.layers.recording import record


def small(**changes: int) -> VisionTransformer:
    sizes = {"image_size": 12, "patch_size": 4, "hidden_size": 8, "num_layers": 2, "num_heads": 2} | changes
    torch.manual_seed(0)
    return VisionTransformer(intermediate_size=16, initializer_range=0.3, **sizes).eval()


def pictures(count: int = 3, size: int = 12) -> Tensor:
    return torch.sin(torch.arange(count * 3 * size * size).float() * 0.37).view(count, 3, size, size)


@pytest.mark.parametrize(("size", "parameters"), [(224, 85_798_656), (384, 86_090_496)])
def test_vit_base_has_the_published_number_of_parameters(size: int, parameters: int) -> None:
    with torch.device("meta"):
        encoder = VisionTransformer(size, 16, 768, 12, 12, 3072)
    assert sum(p.numel() for p in encoder.parameters()) == parameters


def test_patches_are_projected_as_a_convolution_does_it() -> None:
    embedding = PatchEmbedding(12, 4, 8)
    nn.init.normal_(embedding.class_token)
    kernel = embedding.projection.weight.view(8, 3, 4, 4)
    expected = F.conv2d(pictures(), kernel, embedding.projection.bias, stride=4).flatten(2).mT
    found = embedding(pictures())
    torch.testing.assert_close(found[:, 1:], expected)
    assert torch.equal(found[:, 0], embedding.class_token.expand(3, -1))


def test_the_vector_is_the_first_of_the_states() -> None:
    encoder, images = small(), Images(pictures())
    torch.testing.assert_close(encoder(images), encoder.states(images)[:, 0])


def test_recording_does_not_change_the_vector_and_sees_every_layer() -> None:
    encoder, images = small(), Images(pictures())
    plain = encoder(images)
    with record(encoder) as seen:
        watched = encoder(images)
    assert torch.equal(plain, watched)
    shapes = [tensor.shape for tensors in seen.values() for tensor in tensors]
    assert shapes == [(3, 2, 10, 10)] * 2


def test_a_hidden_patch_changes_nothing_and_a_seen_one_does() -> None:
    encoder, pixels = small(), pictures(1)
    mask = torch.ones(1, 10, dtype=torch.bool)
    mask[0, 1 + 4] = False  # the middle one of 3 x 3
    changed = pixels.clone()
    changed[:, :, 4:8, 4:8] += 3
    hidden = [encoder(Images(p, attention_mask=mask)) for p in (pixels, changed)]
    torch.testing.assert_close(hidden[0], hidden[1])
    seen = [encoder(Images(p)) for p in (pixels, changed)]
    assert not torch.allclose(seen[0], seen[1], atol=1e-2)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"16 x 16 pixels for an encoder of 12; set \[images\] size"):
        small()(Images(pictures(1, 16)))
    with pytest.raises(ValueError, match="10 is not a multiple of the patch size 4"):
        small(image_size=10)


def test_positions_are_resized_over_the_grid_and_the_class_tokens_stays() -> None:
    positions = torch.arange(10.0)[:, None] * torch.ones(1, 4)
    assert resized_positions(positions, 3) is positions
    larger = resized_positions(positions, 6)
    assert larger.shape == (37, 4)
    assert torch.equal(larger[0], positions[0])
    grid = positions[1:].T.reshape(1, 4, 3, 3)
    expected = F.interpolate(grid, (6, 6), mode="bicubic", align_corners=False)[0].flatten(1).T
    torch.testing.assert_close(larger[1:], expected)
    with pytest.raises(ValueError, match="no class token and a square grid"):
        resized_positions(torch.zeros(9, 4), 3)


def test_every_parameter_gets_a_gradient(formula_weights: Callable[..., nn.Module]) -> None:
    encoder = small()
    encoder(Images(pictures())).square().sum().backward()
    assert [n for n, p in encoder.named_parameters() if p.grad is None or not p.grad.any()] == []
