"""CMR's published forward pass, written literally and slowly from the sheet (`cmr`, section 7), with its names.

The encoder is transformers' LXMERT. 20 words, 36 regions, 12 parts and 10 pairs are as published.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import LxmertConfig, LxmertModel

from chiasm.batch import Batch, Regions, Text

WORDS, REGIONS, PARTS, KEPT = 20, 36, 12, 10
SIZE, FEATURES, VOCABULARY = 48, 7, 40
SMALL = {
    "vocab_size": VOCABULARY, "hidden_size": SIZE, "intermediate_size": 96,
    "max_position_embeddings": 24,
}  # fmt: skip


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def head(size: int, *after: int) -> nn.Sequential:
    """Linear, GELU, LN, and a further linear layer when `after` says of what size."""
    return nn.Sequential(
        nn.Linear(size, size), nn.GELU(), nn.LayerNorm(size, eps=1e-12), *[nn.Linear(size, a) for a in after]
    )


class PublishedCmr(nn.Module):
    """Everything beside the encoder has the name that it has in the published file."""

    def __init__(self, config: LxmertConfig, hidden: tuple[int, int, int]) -> None:
        super().__init__()
        size = config.hidden_size
        self.encoder = LxmertModel(config)
        self.lang_conv1, self.lang_conv2, self.lang_fc1 = conv(1, 16), conv(16, 32), nn.Linear(32 * 3 * 7, size)
        self.img_conv1, self.img_conv2, self.img_fc1 = conv(1, 16), conv(16, 32), nn.Linear(32 * 7 * 7, size)
        self.cross_conv1, self.cross_fc1 = conv(1, 32), nn.Linear(32 * 5 * 5, size)
        self.rel_conv1, self.rel_fc1 = conv(1, 32), nn.Linear(32 * 4 * 4, size)
        self.logit_fc1, self.logit_fc3 = head(size), head(size)
        self.logit_fc2, self.logit_fc4 = head(2 * size, size), head(2 * size, size)
        first, second, third = hidden
        self.final_classifier = nn.Sequential(
            *[nn.Linear(4 * size, first), nn.GELU(), nn.LayerNorm(first, eps=1e-12)],
            *[nn.Linear(first, second), nn.ReLU(), nn.Linear(second, third), nn.ReLU(), nn.Linear(third, 2)],
        )
        self.lang_2_to_1, self.img_2_to_1 = mlp(2 * size, 2 * size, size), mlp(2 * size, 2 * size, size)
        self.lang_relation = mlp(size, size // 2, size // 4, 1)
        self.img_relation = mlp(size, size // 2, size // 4, 1)

    def published_state(self, *, module: bool = False) -> dict[str, Tensor]:
        """The state dict under the names of the published file, with the prefix of data-parallel training or not."""
        prefix = "module." if module else ""
        return {prefix + published_name(name): tensor for name, tensor in self.state_dict().items()}

    def forward(self, ids: Tensor, mask: Tensor, features: Tensor, boxes: Tensor) -> Tensor:
        """Words (B, 20), their mask, features (B, 2, 36, F), boxes (B, 2, 36, 4) -> logits (B, 2)."""
        twice = [i // 2 for i in range(2 * len(ids))]  # s0, s0, s1, s1
        out = self.encoder(
            input_ids=ids[twice],
            attention_mask=mask[twice].float(),
            visual_feats=features.view(-1, REGIONS, features.shape[-1]),
            visual_pos=boxes.view(-1, REGIONS, 4),
        )
        lang, img, pooled = out.language_output, out.vision_output, out.pooled_output
        found = [self.cross(pooled), self.entities(lang, img), self.images(img), self.relations(lang, img)]
        return self.final_classifier(torch.cat(found, 1))

    def cross(self, pooled: Tensor) -> Tensor:
        """b) of the sheet."""
        parts = pooled.view(-1, 2, PARTS, pooled.shape[1] // PARTS)
        return self.logit_fc1(self.one_convolution(parts[:, 0], parts[:, 1], self.cross_conv1, self.cross_fc1))

    def entities(self, lang: Tensor, img: Tensor) -> Tensor:
        """c) of the sheet."""
        x = self.two_convolutions(lang, img, self.lang_conv1, self.lang_conv2, self.lang_fc1)
        return self.logit_fc2(x.view(-1, 2 * x.shape[1]))

    def images(self, img: Tensor) -> Tensor:
        """d) of the sheet, with its bug."""
        size = img.shape[-1]
        chunks = img.reshape(-1, REGIONS, 2 * size).split(size // 2, -1)
        return self.logit_fc3(self.two_convolutions(chunks[0], chunks[1], self.img_conv1, self.img_conv2, self.img_fc1))

    def relations(self, lang: Tensor, img: Tensor) -> Tensor:
        """a) of the sheet."""
        best_words = chosen(self.pairs_of_words(lang), self.lang_relation)
        best_regions = chosen(pairs_of_regions(img), self.img_relation)
        x = self.one_convolution(best_words, best_regions, self.rel_conv1, self.rel_fc1)
        return self.logit_fc4(x.view(-1, 2 * x.shape[1]))

    def pairs_of_words(self, lang: Tensor) -> Tensor:
        """All 400 pairs through the MLP, then the 190 below the diagonal."""
        rows, words, size = lang.shape
        grid = lang.new_zeros(rows, words, words, 2 * size)
        for i in range(words):
            for j in range(words):
                grid[:, i, j] = torch.cat([lang[:, j], lang[:, i]], 1)
        flat = self.lang_2_to_1(grid).view(rows, words * words, size)
        places = [i + words * j for i in range(words) for j in range(i)]
        return flat.index_select(1, torch.tensor(places))

    def one_convolution(self, a: Tensor, b: Tensor, first: nn.Module, linear: nn.Module) -> Tensor:
        """Cosines -> conv, ReLU, pool -> linear, ReLU."""
        x = F.max_pool2d(F.relu(first(cosines(a, b)[:, None])), 2, 2)
        return F.relu(linear(x.view(len(x), -1)))

    def two_convolutions(self, a: Tensor, b: Tensor, first: nn.Module, second: nn.Module, linear: nn.Module) -> Tensor:
        """Cosines -> twice conv, ReLU, pool -> linear, ReLU."""
        x = F.max_pool2d(F.relu(first(cosines(a, b)[:, None])), 2, 2)
        x = F.max_pool2d(F.relu(second(x)), 2, 2)
        return F.relu(linear(x.view(len(x), -1)))


def conv(before: int, after: int) -> nn.Conv2d:
    """3 x 3, stride 1, no padding."""
    return nn.Conv2d(before, after, 3)


def published_name(name: str) -> str:
    """What the published file calls a tensor of `PublishedCmr`."""
    if not name.startswith("encoder."):
        return name
    inner = "bert." + name.removeprefix("encoder.")
    inner = re.sub(r"^bert\.encoder\.layer\.", "bert.encoder.single_bert_layer.", inner)
    inner = re.sub(r"^bert\.encoder\.r_layers\.", "bert.encoder.single_layers.", inner)
    inner = re.sub(r"^bert\.encoder\.x_layers\.", "bert.encoder.cross_layers.", inner)
    return f"bert_encoder.model.{inner}"


def pairs_of_regions(img: Tensor) -> Tensor:
    """x_i + x_j of the 630 pairs below the diagonal."""
    return torch.stack([img[:, i] + img[:, j] for i in range(REGIONS) for j in range(i)], 1)


def chosen(pairs: Tensor, scores: nn.Module) -> Tensor:
    """The ten pairs of highest score in each row, best first."""
    found = []
    for row in pairs:
        best = scores(row).squeeze(-1).topk(KEPT, sorted=True).indices
        found.append(row.index_select(0, best))
    return torch.stack(found)


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """Every cosine of a row of a and one of b."""
    return torch.einsum("bqd,bkd->bqk", F.normalize(a, dim=-1, eps=1e-12), F.normalize(b, dim=-1, eps=1e-12))


def filled(model: nn.Module) -> Any:
    """Weights by a formula, one that leaves matrices of full rank (a sine of the place alone would have two)."""
    for number, (name, parameter) in enumerate(model.named_parameters()):
        places = torch.arange(parameter.numel(), dtype=torch.float64)
        values = 2 * (torch.sin(places * 12.9898 + number * 78.233) * 43758.5453).frac().abs() - 1
        scale = 1.2 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.1
        parameter.data = (values * scale).to(torch.float32).view(parameter.shape)
        if parameter.ndim == 1 and name.endswith("weight"):  # of a layer norm
            parameter.data += 1
    return model.eval()


def small(heads: int = 4) -> Any:
    """Two language, one object and two cross layers of 48."""
    config = LxmertConfig(
        **SMALL, num_attention_heads=heads, l_layers=2, r_layers=1, x_layers=2, visual_feat_dim=FEATURES
    )
    return filled(PublishedCmr(config, (40, 24, 12)))


def batch(examples: int = 3) -> Batch:
    """Statements of 20, 9 and 3 word pieces, two images each, by a formula."""
    lengths = torch.tensor([20, 9, 3, 14, 6])[:examples]
    mask = torch.arange(WORDS) < lengths[:, None]
    ids = (torch.arange(examples * WORDS).view(examples, WORDS) * 7 % (VOCABULARY - 3) + 3) * mask
    rows = 2 * examples
    features = torch.sin(torch.arange(rows * REGIONS * FEATURES).float() * 0.77).view(rows, REGIONS, FEATURES)
    boxes = torch.cos(torch.arange(rows * REGIONS * 4).float() * 0.31).abs().view(rows, REGIONS, 4)
    index = torch.arange(rows).view(examples, 2)
    return Batch(Text(ids, mask), Regions(features, boxes, index=index), targets={"answer": torch.arange(examples) % 2})


def asked(model: Any, given: Batch) -> Tensor:
    """The reference's answer to a batch of ours."""
    text, regions = given.text, given.regions
    assert text is not None
    assert regions is not None
    assert regions.index is not None
    features, boxes = regions.features[regions.index], regions.boxes[regions.index]  # (B, 2, 36, F), (B, 2, 36, 4)
    answer: Tensor = model(text.input_ids, text.attention_mask, features, boxes)
    return answer
