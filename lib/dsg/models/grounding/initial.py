"""What a new graph stage knows before it learns: which masks others copy, how often predicates relate
categories in training, and word vectors of the names.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from dsg.config import Config
from dsg.datasets.scene_graph_layout import EMBEDDINGS, GLOVE, NAME_WIDTH, GraphSource, find_graphs
from dsg.datasets.scene_graphs import GraphDataset, graphs_of
from dsg.errors import UserError
from dsg.models.grounding.frequencies import log_shares, predicate_counts
from dsg.models.grounding.mask_transfer import transfer_matrix
from dsg.models.grounding.model import GroundingModel
from dsg.models.grounding.words import (
    mean_vectors,
    name_vectors,
    read_glove,
    read_name_vectors,
    words_of,
)

BACKGROUND, START = "__background__", "start"
FREQUENCY, CO_OCCURRENCE = "graph/predicate/frequency/table", "graph/context/pairs/co"
TABLES = ("graph/context/node/obj_embed1", "graph/context/node/obj_embed_m", "graph/context/obj_embed2")
DECODER_TABLE = "graph/context/decoder/table"


def start_graph(model: GroundingModel, training: GraphDataset, config: Config) -> list[str]:
    """Give a new model with a graph stage what follows from its data set; returns lines for the log.

    Raises:
        UserError: word vectors are missing, damaged or of another width.
    """
    source = find_graphs(os.fspath(training.folder), training.folder)
    notes = [_start_transfer(model, training, config, source)]
    notes.append(_start_frequencies(model, training))
    notes.append(_start_embeddings(model, training, config, source))
    return [note for note in notes if note]


def _start_transfer(
    model: GroundingModel, training: GraphDataset, config: Config, source: GraphSource
) -> str:
    names, masks = training.vocabulary.objects, training.vocabulary.mask_objects
    if not masks:
        return ""
    options = config.grounding
    matrix = transfer_matrix(
        *(names, masks, *transfer_vectors(source, names, masks)),
        transfer=options.transfer,
        threshold=options.transfer_threshold,
    )
    model.transfer.assign(matrix)
    copied = int(((matrix == 1.0).sum(0) == 1).sum())
    return f"masks: {copied} of {len(names)} categories copy one of {len(masks)}, the others mix several"


def transfer_vectors(
    source: GraphSource, names: Sequence[str], masks: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """A vector for each of the graphs' categories and of the masks': float32 [V, D], [M, D]. They are the
    data set's own, or means of the words that GloVe's file has.

    Raises:
        UserError: they are missing, damaged or of different widths.
    """
    glove = source.glove(NAME_WIDTH)
    if not source.has_name_vectors and glove is not None:
        known = read_glove(glove, words_of([*names, *masks]), NAME_WIDTH)
        return mean_vectors(names, known, NAME_WIDTH), mean_vectors(masks, known, NAME_WIDTH)
    vectors = read_name_vectors(source.name_vectors(), len(names))
    mask_vectors = read_name_vectors(source.name_vectors(masks=True), len(masks))
    if vectors.shape[1] != mask_vectors.shape[1]:
        raise UserError(
            f"{source.name_vectors(masks=True)}: {mask_vectors.shape[1]} numbers a name, "
            f"{source.name_vectors().name} has {vectors.shape[1]}; both must be of the same word vectors"
        )
    return vectors, mask_vectors


def _start_frequencies(model: GroundingModel, training: GraphDataset) -> str:
    variables = model.named_variables()
    if FREQUENCY not in variables and CO_OCCURRENCE not in variables:
        return ""
    words = training.vocabulary
    counts = predicate_counts(graphs_of(training), len(words.objects), len(words.predicates))
    shares = log_shares(counts)
    if FREQUENCY in variables:
        variables[FREQUENCY].assign(shares.reshape(-1, shares.shape[-1]))
    if CO_OCCURRENCE in variables:
        together = shares.sum(-1)
        variables[CO_OCCURRENCE].assign(together + together.T)
    return f"predicates counted in {len(training):,} images"


def _start_embeddings(
    model: GroundingModel, training: GraphDataset, config: Config, source: GraphSource
) -> str:
    """Tables of labels from the vectors of their words."""
    names, masks = training.vocabulary.objects, training.vocabulary.mask_objects
    dim, rng = config.grounding.embedding, np.random.default_rng(config.rng_seed)
    path = source.glove(dim)
    if path is None:
        return (
            f"{source.folder / EMBEDDINGS}: no glove*.{dim}d.txt, there or in {GLOVE}/ beside the data set; "
            "the embeddings of labels start from random values"
        )
    vectors = read_glove(path, words_of([*names, *masks, START]), dim)
    variables = model.named_variables()
    graphs, of_masks = [*names, BACKGROUND], [*masks, BACKGROUND]
    rows: dict[str, Sequence[str]] = dict(zip(TABLES, (graphs, of_masks, graphs)))
    for table, words in {**rows, DECODER_TABLE: [START, *graphs]}.items():
        variable = variables.get(f"{table}/embeddings")
        if variable is not None and len(words) == variable.shape[0]:
            variable.assign(name_vectors(words, vectors, dim, rng))
    found = sum(any(word in vectors for word in (name, max(name.split(" "), key=len))) for name in names)
    return f"{path.name}: vectors of {found} of {len(names)} names"
