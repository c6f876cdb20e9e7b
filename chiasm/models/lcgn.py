"""LCGN: language-conditioned graph networks (Hu et al., ICCV 2019), as GraphVQA's second baseline.

    question -> transformer encoder -> q; in round t words are attended to with a query made of q -> c_t
    graph    -> sums of word vectors -> mean over neighbours -> x_loc
    x_ctx    -> [messages along edges, weighted by x_loc, x_ctx and c_t] x T -> [x_loc ; x_ctx] -> pooled -> g
    [g ; q ; g * q] -> answer

# Differs (GraphVQA's appendix B.3 against Hu et al.): the question encoder is a transformer, messages follow the edges
of the scene graph and not all pairs, and the edges' relations enter the first node states only. Round t's c_t is Hu et
al.'s attention over words; the appendix does not say how it gets c from its instructions.
- x_ctx begins as one learned vector, as in Hu et al.; the appendix draws it at random in every pass, which makes
  answers random (`random_context = true`; then evaluation draws the same numbers every time).
- `negative_slope = 0.2` is the released code's LeakyReLU on the score, which equation 13 does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from chiasm.batch import Batch, Output, Text
from chiasm.encoders.question import ParserSizes, QuestionEncoder
from chiasm.encoders.scene_graph import GraphWords, graph_encoder
from chiasm.heads.graph_answer import GraphAnswer, GraphPool
from chiasm.layers.context import ContextStep
from chiasm.layers.glorot import glorot
from chiasm.layers.graphs import Graphs, graphs_of_examples
from chiasm.layers.masking import masked_softmax
from chiasm.layers.recording import Tap
from chiasm.layers.stack import Stack
from chiasm.models import CrossModalModel, Evidence
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config:
    """GraphVQA's sizes, and four rounds as in Hu et al."""

    vocab_size: int = 30522  # word pieces of questions
    graph_vocab_size: int = 2640  # names, attributes and relations
    num_labels: int = 1842  # answers
    rounds: int = 4  # T
    hidden_size: int = 300  # of nodes
    word_size: int = 300  # of a word's vector, in questions and graphs
    instruction_size: int = 512
    num_attention_heads: int = 8  # of the transformer
    intermediate_size: int = 2048  # inner size of its feed-forward networks
    transformer_layers: int = 3
    dropout: float = 0.1
    answer_dropout: float = 0.2
    negative_slope: float = 1.0  # of a LeakyReLU on the score of a message; 1: none
    random_context: bool = False  # True: x_ctx begins at random numbers
    code_parity: bool = False  # True: the released code's scene graph encoder, padding of questions not masked

    @property
    def parser(self) -> ParserSizes:
        """What the transformer is built from."""
        return ParserSizes(
            self.instruction_size,
            self.num_attention_heads,
            self.intermediate_size,
            self.transformer_layers,
            self.dropout,
        )


class Commands(nn.Module):
    """c_t = sum over words of softmax(w . (s * W_t elu(W q))) s: what the question says in round t (Hu et al.)."""

    def __init__(self, size: int, rounds: int) -> None:
        super().__init__()
        self.shared = nn.Linear(size, size)
        self.own = nn.ModuleList(nn.Linear(size, size) for _ in range(rounds))
        # No bias: it would move the scores of all words alike.
        self.score = nn.Linear(size, 1, bias=False)
        self.tap = Tap()  # (B, 1, T, words)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D), (B, T) -> (B, rounds, D)."""
        summary = nn.functional.elu(self.shared(words[:, 0]))
        queries = torch.stack([own(summary) for own in self.own], 1)  # (B, rounds, D)
        scores = self.score(words[:, None] * queries[:, :, None])[..., 0]  # (B, rounds, T)
        weights = masked_softmax(scores, mask[:, None])
        return self.tap(weights[:, None])[:, 0] @ words


class Lcgn(CrossModalModel):
    """LCGN with a head over answers."""

    streams: ClassVar[frozenset[str]] = frozenset({"text", "scene_graph"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        size, node = config.instruction_size, config.hidden_size
        self.question = QuestionEncoder(
            config.vocab_size, config.word_size, config.parser, mask_padding=not config.code_parity
        )
        self.commands = Commands(size, config.rounds)
        self.graph_words = GraphWords(config.graph_vocab_size, config.word_size)
        self.graph = graph_encoder(config.word_size, node, released=config.code_parity)
        self.start = None if config.random_context else nn.Parameter(torch.randn(node))
        self.step = ContextStep(node, size, negative_slope=config.negative_slope)
        self.taps: Stack[Tap] = Stack(Tap() for _ in range(config.rounds))
        self.join = nn.Linear(2 * node, node)
        self.pool = GraphPool(node, size)
        self.answer = GraphAnswer(size, config.num_labels, dropout=config.answer_dropout)
        glorot(self)

    def forward(self, batch: Batch) -> Output:
        """Text (B, T), SceneGraph (I, N), (I, E) -> scores "answer" (B, A)."""
        if batch.text is None or batch.scene_graph is None:
            raise ValueError("LCGN needs text and scene_graph streams; add [text] and [scene_graph] to the recipe")
        question, commands = self._parsed(batch.text)
        words, relations, distinct = self.graph_words(batch.scene_graph)
        encoded, _ = self.graph(words, relations, distinct)
        graphs, rows = graphs_of_examples(batch.scene_graph)
        local = encoded[rows]
        context = self._context(local, graphs)
        for command, tap in zip(commands.unbind(1), self.taps, strict=True):
            context = self.step(local, context, command, graphs, tap)
        pooled = self.pool(self.join(torch.cat([local, context], 1)), question, graphs)
        return Output({"answer": self.answer(pooled, question)}, {"question": question, "graph": pooled})

    def get_input_embeddings(self) -> nn.Module:
        """The table of question word pieces."""
        return self.question.words

    def evidence(self) -> tuple[Evidence, ...]:
        """What nodes take from each other in each round, which nodes the answer reads, which words each round."""
        rounds = tuple(f"taps.{n}" for n in range(self.config.rounds))
        return (
            Evidence("relation", "scene_graph", "scene_graph", rounds, "nodes look at each other, round by round"),
            Evidence("gate", "answer", "scene_graph", ("pool.tap",), "the answer reads the nodes"),
            Evidence("instruction", "instruction", "text", ("commands.tap",), "rounds look at the question"),
        )

    def _parsed(self, text: Text) -> tuple[Tensor, Tensor]:
        """q (B, D) and the rounds' c (B, T, D)."""
        words, mask = self.question(text)
        commands = self.commands(words, text.attention_mask if mask is None else mask)
        if text.index is None:
            return words[:, 0], commands
        index = text.index[:, 0]
        return words[index, 0], commands[index]

    def _context(self, local: Tensor, graphs: Graphs) -> Tensor:
        """(N, D): x_ctx before the first round."""
        if self.start is not None:
            return self.start.expand_as(local)
        if self.training:
            return torch.randn_like(local)
        # The same numbers for a node whatever else is in the batch: they depend on its place in its graph.
        place = (graphs.slots % graphs.size).cpu().tolist()
        drawn = [torch.randn(local.shape[1], generator=torch.Generator().manual_seed(i)) for i in range(graphs.size)]
        return torch.stack(drawn)[place].to(local)


Model = Lcgn
