"""The head where tracks have several genres, or none: what it is fitted to, and what is chosen on held-out artists."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genrescope import splits
from genrescope.store.store import StoredTrack
from genrescope.training.job import Material, targets_of
from genrescope.training.listener import rarest, with_negatives
from genrescope.training.tag_head import LeftOut, Points, away_odds, error_of, fit, folds_of, left_out, logits_of, loss

pytestmark = pytest.mark.usefixtures("one_thread")
ARTISTS, EACH, FEATURES = 12, 4, 6


def points(*, informative: bool = True) -> Points:
    """Return tracks of two genres, of both and of none; the embedding tells which, the tags as well."""
    rng = np.random.default_rng(0)
    targets = np.tile([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]], (ARTISTS, 1))
    signs = 2 * targets - 1
    pooled = rng.normal(0, 0.3, (len(targets), FEATURES))
    if informative:
        pooled[:, :2] += signs
    return Points(
        tags=signs + rng.normal(0, 0.3, signs.shape), rivals=np.full((len(targets), 1), -5.0), pooled=pooled,
        genre=rarest(targets), artist=np.repeat([f"artist {n}" for n in range(ARTISTS)], EACH), targets=targets,
    )  # fmt: skip


def track(number: int, genre: str, group: str = "") -> StoredTrack:
    return StoredTrack(f"t{number:03d}", f"t{number}.wav", genre, group, 0, 10, 3.0)


def test_each_genre_is_decided_by_itself() -> None:
    its = points()
    head = fit(replace(its, tags=np.zeros_like(its.tags)), np.array([0.01, 0.01]))
    assert error_of(logits_of(replace(its, tags=np.zeros_like(its.tags)), head), its.truth) < 0.02
    assert head.weights[:2].argmax(axis=0).tolist() == [0, 1], "each genre looks at its own feature"


def test_with_a_large_penalty_the_tags_decide() -> None:
    its = points(informative=False)
    head = fit(its, np.array([1e6, 1e6]))
    assert np.abs(head.weights).max() < 1e-3
    assert np.corrcoef(logits_of(its, head)[:, 0], its.tags[:, 0])[0, 1] > 0.999


def test_thresholds_come_from_artists_that_were_left_out() -> None:
    its = points()
    folds = folds_of(its)
    for learnt, held in folds:
        assert not set(its.artist[learnt]) & set(its.artist[held])
    judged = left_out(its, folds, np.array([1.0, 1.0]))
    assert judged.logits.shape == judged.truth.shape == (ARTISTS * EACH, 2)
    scores = 1 / (1 + np.exp(-judged.logits / judged.temperature))
    decided = scores >= judged.thresholds
    assert (decided == (judged.truth > 0)).mean() > 0.9
    assert loss(judged.logits / judged.temperature, judged.truth) <= loss(judged.logits, judged.truth) + 1e-12


def test_the_limit_of_unknown_songs_is_that_of_songs_with_a_genre() -> None:
    rng = np.random.default_rng(1)
    truth = np.repeat([0, 1, 2], 100)
    logits = rng.normal(0, 1, (300, 3))
    logits[np.arange(300), truth] += 4
    judged = LeftOut(logits, np.full((300, 1), -9.0), truth, genres=2)
    assert judged.known.tolist() == (truth < 2).tolist()
    own, away = np.logaddexp(logits[:, 0], logits[:, 1]), np.logaddexp(logits[:, 2] + away_odds(2), -9.0)
    novelty = away - own
    assert (novelty[truth < 2] <= judged.unknown_above).mean() == pytest.approx(0.95, abs=0.01)
    assert (novelty[truth == 2] > judged.unknown_above).mean() > 0.9


def test_material_tells_several_genres_and_negative_examples_apart() -> None:
    one, both, none = track(0, "a"), track(1, "a; b"), track(2, "not-mine")
    several = Material([one, both, none], [], ["a", "b"], multi_label=True)
    assert targets_of(several.learnt, several.labels).tolist() == [[1, 0], [1, 1], [0, 0]]
    assert not with_negatives(several), "there it is a song without a label"
    single = Material([one, none], [], ["a", "b"])
    assert with_negatives(single)
    assert single.negatives == 1


@pytest.mark.parametrize("method", ["stratified", "stratified-group"])
def test_splits_share_out_each_genre(method: str) -> None:
    genres = ["a", "b", "a; b", "b; c", "not-mine"]
    tracks = [track(n, genres[n % 5], f"artist {n // 5}") for n in range(100)]
    made = splits.make(tracks, method, shares={"train": 0.6, "test": 0.4})
    for label, total in (("a", 40), ("b", 60), ("c", 20)):
        held = sum(label in each.labels for each in tracks if made.parts[each.id] == "test")
        assert held == pytest.approx(0.4 * total, abs=3)
    negatives = sum(not each.labels for each in tracks if made.parts[each.id] == "test")
    assert negatives == pytest.approx(8, abs=2)
    if method == "stratified-group":
        parts_of = {
            each.group: {made.parts[other.id] for other in tracks if other.group == each.group} for each in tracks
        }
        assert all(len(parts) == 1 for parts in parts_of.values())
