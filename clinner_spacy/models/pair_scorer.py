"""The torch module of clinner.SpanPairs.v1: the words' vectors and a batch of pairs in, logits of each pair out.

Words learn the types of the spans they are in and are read in both directions, sentence by sentence. A span is the
maximum over its words with its first and last word; a pair is head, tail, the maximum over the words between, and
hashed features. What a span gives to its pairs is computed once a span.

Then a pair sees its context: the maximum over all pairs of its head, that over all pairs of its tail, and the pair of
its tail and head. A relation is seldom alone: the words that one drug's dose is read from tell of the next one's, a
head that has found its tail needs no other, and of two events only one comes first.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from clinner_spacy.models.pair_layers import HashEmbedding, Maxout, RangeMaximum, group_maximum, ragged_range, take
from clinner_spacy.relations.batch import PairBatch
from clinner_spacy.relations.features import N_FEATURES

#: Pairs scored at a time: of the others only a vector each is kept.
CHUNK = 16384

#: Width of a feature's vector.
FEATURE_WIDTH = 16

#: Rows of the hash table of span types.
TYPE_ROWS = 500


class PairScorer(nn.Module):
    """Scores every relation label for every candidate pair; see :func:`~clinner_spacy.models.pairs.build_span_pairs`.

    n_inputs: width of a word's vector. n_labels: columns of the logits.
    """

    def __init__(self, n_inputs: int, n_labels: int, width: int, depth: int, hidden: int, rows: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.0)
        self.types = HashEmbedding(1, TYPE_ROWS, width)
        self.mix = Maxout(n_inputs + width, width)
        self.mix_norm = nn.LayerNorm(width)
        self.lstm = nn.LSTM(width, width // 2, depth, bidirectional=True)
        self.head, self.tail = nn.Linear(3 * width, hidden), nn.Linear(3 * width, hidden)
        self.between = nn.Linear(width, hidden)
        self.features = HashEmbedding(N_FEATURES, rows, FEATURE_WIDTH)
        self.of_features = nn.Linear(N_FEATURES * FEATURE_WIDTH, hidden)
        self.pair = self._hidden_layer(hidden)
        self.of_head, self.of_tail, self.of_reverse = (nn.Linear(hidden, hidden) for _ in range(3))
        self.score = nn.Sequential(self._hidden_layer(hidden), nn.Linear(hidden, n_labels))
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def _hidden_layer(self, width: int) -> nn.Module:
        linear = nn.Linear(width, width)
        return nn.Sequential(nn.LayerNorm(width), self.dropout, linear, nn.Mish(), nn.LayerNorm(width), self.dropout)

    def forward(self, vectors: Tensor, batch: PairBatch) -> Tensor:
        """float (n_words, n_inputs) -> float (n_pairs, n_labels). batch: of tensors, ``segments`` on the host and the
        others where the words' vectors are."""
        words = self.read_words(vectors, batch)
        pairs = self.read_pairs(words, batch)
        context = self.context(pairs, batch)
        return in_chunks(lambda part: self.score(pairs[part] + context(part)), len(pairs))

    def read_words(self, vectors: Tensor, batch: PairBatch) -> Tensor:
        """float (n_words, width): words that know the types of their spans and their sentence."""
        counts = batch.end - batch.start
        covered = ragged_range(batch.start, counts)
        opens = covered == batch.start.repeat_interleave(counts)
        types = self.types((batch.types.repeat_interleave(counts) + opens).unsqueeze(1))
        typed = vectors.new_zeros(len(vectors), types.shape[1]).index_add(0, covered, types)
        mixed = self.dropout(self.mix_norm(self.mix(torch.cat([vectors, typed], 1))))
        if not len(mixed):
            return mixed
        segments = mixed.split(batch.segments.tolist())
        return torch.cat(unpack_sequence(self.lstm(pack_sequence(segments, enforce_sorted=False))[0]))

    def read_pairs(self, words: Tensor, batch: PairBatch) -> Tensor:
        """float (n_pairs, hidden): each pair by itself."""
        maximum = RangeMaximum(words, max(longest(batch.start, batch.end), longest(*batch.between.T)))
        spans = torch.cat([maximum(batch.start, batch.end), take(words, batch.start), take(words, batch.end - 1)], 1)
        as_head, as_tail = self.head(spans), self.tail(spans)

        def read(part: slice) -> Tensor:
            features = self.features(self.drop_features(batch.features[part]))
            pairs = take(as_head, batch.heads[part]) + take(as_tail, batch.tails[part])
            pairs = pairs + self.between(maximum(*batch.between[part].T)) + self.of_features(features)
            return self.pair(pairs)

        return in_chunks(read, len(batch.heads))

    def context(self, pairs: Tensor, batch: PairBatch) -> Callable[[slice], Tensor]:
        """A function that gives the context of some of the pairs, float (n, hidden); all of them are looked at."""
        n_spans = len(batch.start)
        of_head = self.of_head(group_maximum(pairs, batch.heads, n_spans))
        of_tail = self.of_tail(group_maximum(pairs, batch.tails, n_spans))

        def look(part: slice) -> Tensor:
            reverse = batch.reverse[part]
            reversed_pairs = take(pairs, reverse.clamp(min=0)) * (reverse >= 0).unsqueeze(1)
            around = take(of_head, batch.heads[part]) + take(of_tail, batch.tails[part])
            return around + self.of_reverse(reversed_pairs)

        return look

    def drop_features(self, features: Tensor) -> Tensor:
        """Replace each feature by its column's unknown in training, at the dropout rate.

        Hashed words and their combinations would be learned by heart; where they may be missing, a model learns from
        others beside them.
        """
        kept = self.dropout(torch.ones(features.shape, device=features.device)) > 0
        return features * kept


def in_chunks(compute: Callable[[slice], Tensor], n_rows: int) -> Tensor:
    """What ``compute`` gives for all rows, computed for :data:`CHUNK` at a time."""
    return torch.cat([compute(slice(n, n + CHUNK)) for n in range(0, max(n_rows, 1), CHUNK)])


def longest(start: Tensor, end: Tensor) -> int:
    """The length of the longest range, at least 1."""
    return max(1, int((end - start).max())) if len(start) else 1
