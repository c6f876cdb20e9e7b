"""GraphVQA: language-guided graph neural networks on scene graphs (Liang, Jiang & Liu, NAACL MAI workshop 2021).

    question -> transformer encoder -> q = state of [CLS]
                      -> transformer decoder with M learned queries -> instructions i(1) .. i(M)
    graph    -> sums of word vectors, edges both ways -> mean over neighbours -> h
    h -> [graph layer on [h ; i(L)] and [e ; i(L)]] for L = 1 .. M -> pooled by gates that read q -> g
    [g ; q ; g * q] -> answer

The graph layer is GAT, GINE or GCN (`layers/convolutions`; `gat` scores neighbours as the released code does, `gat_mlp`
with equation 8's perceptron). Table 1's other rows are options: `use_instructions = false` is the plain GCN, `use_graph
= false` sees only questions, `use_question = false` only graphs.

# Differs: the released code runs GCN and GINE and then throws their result away, so that its reasoning sees neither
edges nor instructions, and its scene graph encoder is not equation 4. The default is the paper. `code_parity = true`
is the released code: its encoder and layers, GCN and GINE without effect, padding of questions not masked (sheet
`graphvqa`, section 7). `deep_encoder = true` takes only its encoder: equation 4 leaves of a node only its share of the
mean over its neighbours, which is little in a dense graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from chiasm.batch import Batch, Output
from chiasm.encoders.question import InstructionDecoder, ParserSizes, QuestionEncoder
from chiasm.encoders.scene_graph import GraphWords, graph_encoder
from chiasm.heads.graph_answer import GraphAnswer, GraphPool
from chiasm.layers.batch_norm import BatchNorm
from chiasm.layers.convolutions import Convolution, Sizes, convolution
from chiasm.layers.dropout import Dropout
from chiasm.layers.glorot import glorot
from chiasm.layers.graphs import Graphs, graphs_of_examples
from chiasm.layers.stack import Stack
from chiasm.models import CrossModalModel, Evidence
from chiasm.objectives import Objective


@dataclass(frozen=True)
class Config:
    """The paper's sizes: 300 for graphs, 512 for questions, M = 5 instructions."""

    vocab_size: int = 30522  # word pieces of questions
    graph_vocab_size: int = 2640  # names, attributes and relations
    num_labels: int = 1842  # answers
    convolution: str = "gat"  # a file of layers/convolutions
    num_instructions: int = 5  # M, and the number of graph layers
    hidden_size: int = 300  # of nodes
    word_size: int = 300  # of a word's vector, in questions and graphs
    instruction_size: int = 512
    num_attention_heads: int = 8  # of the transformers
    intermediate_size: int = 2048  # inner size of their feed-forward networks
    transformer_layers: int = 3  # of the encoder, and of the decoder
    graph_heads: int = 4  # GAT's
    theta_layers: int = 1  # GINE's; 2 is Table 4's GINE-2
    dropout: float = 0.1  # of the transformers, of GAT's weights, and between graph layers
    answer_dropout: float = 0.2
    use_instructions: bool = True  # False: graph layers do not see the question
    use_graph: bool = True  # False: only the question is read
    use_question: bool = True  # False: only the graph is read
    deep_encoder: bool = False  # True: the released scene graph encoder in place of equation 4
    code_parity: bool = False  # True: what the released code computes, where that is not what the paper says

    @property
    def discards(self) -> bool:
        """Whether what the convolutions compute is thrown away, as the released code does."""
        return self.code_parity and not convolution(self.convolution).Layer.adds

    @property
    def parser(self) -> ParserSizes:
        """What the two transformers are built from."""
        return ParserSizes(
            self.instruction_size,
            self.num_attention_heads,
            self.intermediate_size,
            self.transformer_layers,
            self.dropout,
        )


class GraphLayer(nn.Module):
    """One step of reasoning: the convolution, and what makes its result the next state.

    GAT adds the state before it; batch norm, ReLU and dropout follow, but not after the last step. Of the others
    equation 7's ReLU stays after the last step.
    """

    def __init__(self, conv: Convolution | None, size: int, *, adds: bool, last: bool, dropout: float) -> None:
        super().__init__()
        self.convolution, self.adds = conv, adds
        raw = last and (adds or conv is None)
        self.after = nn.Sequential()
        if not last:
            self.after.append(BatchNorm(size))
        if not raw:
            self.after.append(nn.ReLU())
        if not last:
            self.after.append(Dropout(dropout))

    def forward(self, nodes: Tensor, edges: Tensor, graphs: Graphs, instruction: Tensor | None) -> Tensor:
        """(N, D), edges' features (rows, D'), (B, D'') -> (N, D)."""
        if self.convolution is not None:
            taken = self.convolution(nodes, edges, graphs, instruction)
            nodes = taken + nodes if self.adds else taken
        return self.after(nodes)


class GraphVqa(CrossModalModel):
    """GraphVQA with a head over answers."""

    streams: ClassVar[frozenset[str]] = frozenset({"text", "scene_graph"})
    config: Config

    def __init__(self, config: Config, objectives: Mapping[str, Objective]) -> None:
        super().__init__(config, objectives)
        if not (config.use_graph or config.use_question):
            raise ValueError("use_graph and use_question are both false: there is nothing to read")
        size = config.instruction_size
        if config.use_question:
            self.question = QuestionEncoder(
                config.vocab_size, config.word_size, config.parser, mask_padding=not config.code_parity
            )
        self.instructs = config.use_graph and config.use_question and config.use_instructions and not config.discards
        if self.instructs:
            self.instructions = InstructionDecoder(config.num_instructions, config.parser)
        if config.use_graph:
            self.graph_words = GraphWords(config.graph_vocab_size, config.word_size)
            deep = config.deep_encoder or config.code_parity
            self.graph = graph_encoder(config.word_size, config.hidden_size, released=deep)
            self.reasoning: Stack[GraphLayer] = Stack(_layers(config, self.graph.edge_size, self.instructs))
            self.pool = GraphPool(config.hidden_size, size, use_question=config.use_question)
        parts = 3 if config.use_graph and config.use_question else 1
        self.answer = GraphAnswer(size, config.num_labels, parts=parts, dropout=config.answer_dropout)
        glorot(self)

    def forward(self, batch: Batch) -> Output:
        """Text (B, T), SceneGraph (I, N), (I, E) -> scores "answer" (B, A)."""
        question, instructions = self._parsed(batch)
        graph = self._reasoned(batch, question, instructions) if self.config.use_graph else None
        known = {"question": question, "graph": graph}
        states = {name: state for name, state in known.items() if state is not None}
        return Output({"answer": self.answer(graph, question)}, states)

    def get_input_embeddings(self) -> nn.Module:
        """The table of question word pieces. Raises ValueError when the model reads no question."""
        if not self.config.use_question:
            raise ValueError("this model reads no question (options.use_question = false)")
        return self.question.words

    def evidence(self) -> tuple[Evidence, ...]:
        """What nodes take from each other at each step, which nodes the answer reads, and the question's attention."""
        found = []
        if self.config.use_graph:
            layers = [layer for layer in self.reasoning if getattr(layer.convolution, "tap", None) is not None]
            taps = tuple(f"reasoning.{n}.convolution.tap" for n in range(len(layers)))
            if taps:
                title = "nodes look at each other, one step for each instruction"
                found.append(Evidence("relation", "scene_graph", "scene_graph", taps, title))
            found.append(Evidence("gate", "answer", "scene_graph", ("pool.tap",), "the answer reads the nodes"))
        if self.instructs:
            count = self.config.transformer_layers
            taps = tuple(f"instructions.layers.{n}.cross_attention.tap" for n in range(count))
            found.append(Evidence("instruction", "instruction", "text", taps, "instructions look at the question"))
        return tuple(found)

    def _parsed(self, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        """q (B, D) and the instructions (B, M, D), as far as the model has them."""
        if not self.config.use_question:
            return None, None
        if batch.text is None:
            raise ValueError("GraphVQA needs a text stream; add a [text] section to the recipe")
        words, mask = self.question(batch.text)
        index = None if batch.text.index is None else batch.text.index[:, 0]
        instructions = self.instructions(words, mask) if self.instructs else None
        if index is None:
            return words[:, 0], instructions
        return words[index, 0], None if instructions is None else instructions[index]

    def _reasoned(self, batch: Batch, question: Tensor | None, instructions: Tensor | None) -> Tensor:
        """(B, D) the pooled graph after all steps. Each distinct graph is encoded once."""
        if batch.scene_graph is None:
            raise ValueError("GraphVQA needs a scene_graph stream; add a [scene_graph] section to the recipe")
        words, relations, distinct = self.graph_words(batch.scene_graph)
        encoded, edges = self.graph(words, relations, distinct)
        graphs, rows = graphs_of_examples(batch.scene_graph)
        nodes = encoded[rows]
        for step, layer in enumerate(self.reasoning):
            nodes = layer(nodes, edges, graphs, None if instructions is None else instructions[:, step])
        pooled: Tensor = self.pool(nodes, question, graphs)
        return pooled


Model = GraphVqa


def _layers(config: Config, edge_size: int, instructs: bool) -> list[GraphLayer]:
    """One layer for each instruction. Convolutions whose result would be thrown away are left out."""
    sizes = Sizes(
        nodes=config.hidden_size,
        edges=edge_size,
        instruction=config.instruction_size if instructs else 0,
        output=config.hidden_size,
        num_heads=config.graph_heads,
        attention_dropout=config.dropout,
        theta_layers=config.theta_layers,
        released=config.code_parity,
    )
    make = convolution(config.convolution).Layer
    return [
        GraphLayer(
            None if config.discards else make(sizes),
            config.hidden_size,
            adds=make.adds,
            last=step == config.num_instructions - 1,
            dropout=config.dropout,
        )
        for step in range(config.num_instructions)
    ]
