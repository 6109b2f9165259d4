from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clinner_spacy.encoders.windows import Plan, plan_windows


@st.composite
def texts(draw: st.DrawFn) -> tuple[list[int], list[int], int, int]:
    """Pieces a word (no more than a window's), words a segment, the window's size and overlap."""
    size = draw(st.integers(1, 12))
    overlap = draw(st.integers(0, size - 1))
    lengths = draw(st.lists(st.integers(0, 40), max_size=4))
    counts = draw(st.lists(st.integers(0, size), min_size=sum(lengths), max_size=sum(lengths)))
    return counts, lengths, size, overlap


def plan(text: tuple[list[int], list[int], int, int], every: bool) -> Plan:
    counts, lengths, size, overlap = text
    return plan_windows(np.asarray(counts, dtype=np.int64), lengths, size, overlap, every)


@given(texts())
def test_windows_cover_all_pieces_within_their_size(text):
    found = plan(text, every=True)
    assert all(found.end - found.begin <= text[2])
    covered = {piece for begin, end in zip(found.begin, found.end, strict=True) for piece in range(begin, end)}
    assert covered == set(range(sum(text[0])))


@given(texts())
def test_a_word_is_read_in_every_window_that_holds_it_whole_and_in_no_other(text):
    counts, lengths, _, _ = text
    found = plan(text, every=True)
    ends = np.cumsum(counts)
    segment = np.repeat(np.arange(len(lengths)), lengths)
    owner = {begin: n for n in range(len(lengths)) for begin in found.begin[_of(found, segment, n)]}
    expected = [
        (word, window)
        for word, count in enumerate(counts)
        for window in range(len(found.begin))
        if count
        and found.begin[window] <= ends[word] - count
        and ends[word] <= found.end[window]
        and owner.get(found.begin[window]) == segment[word]
    ]
    assert list(zip(found.word.tolist(), found.window.tolist(), strict=True)) == expected
    assert {word for word, _ in expected} == {word for word, count in enumerate(counts) if count}
    starts = ends - counts
    assert (found.begin[found.window] + found.piece == starts[found.word]).all()


def _of(found: Plan, segment: np.ndarray, n: int) -> list[int]:
    return sorted({int(window) for word, window in zip(found.word, found.window, strict=True) if segment[word] == n})


@given(texts())
def test_one_reading_a_word_where_it_has_most_context(text):
    all_readings, best = plan(text, every=True), plan(text, every=False)
    assert best.word.tolist() == sorted(set(all_readings.word.tolist()))
    counts = np.asarray(text[0])

    def context(found: Plan) -> np.ndarray:
        right = found.end[found.window] - found.begin[found.window] - found.piece - counts[found.word]
        return np.minimum(found.piece, right)

    most = {
        word: max(c for w, c in zip(all_readings.word, context(all_readings), strict=True) if w == word)
        for word in best.word.tolist()
    }
    assert context(best).tolist() == [most[word] for word in best.word.tolist()]


def test_windows_lie_on_a_grid():
    found = plan_windows(np.ones(1000, dtype=np.int64), [1000], 510, 128, every=True)
    assert found.begin.tolist() == [0, 382, 764]
    assert found.end.tolist() == [510, 892, 1000]


def test_a_window_begins_inside_a_word_only_where_another_holds_it_whole():
    found = plan_windows(np.asarray([3, 3, 3, 3], dtype=np.int64), [4], 7, 0, every=True)
    assert found.begin.tolist() == [0, 6]  # not 7, inside the third word, which the first window cuts
    assert found.window.tolist() == [0, 0, 1, 1]


@given(texts())
def test_the_number_of_windows_is_linear(text):
    counts, lengths, size, overlap = text
    found = plan(text, every=False)
    assert len(found.begin) <= len(lengths) + 2 * sum(counts) // (size - overlap) + 1
