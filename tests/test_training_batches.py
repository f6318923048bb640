"""An epoch shows every track as often as it should, from inside it, and is the same whenever it is begun again."""

from __future__ import annotations

import itertools
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from conftest import stored
from hypothesis import given
from hypothesis import strategies as st

from genrescope.features.spec import LogMelSpec
from genrescope.features.windows import FrameBank, place
from genrescope.training import recipe
from genrescope.training.batches import Batches, _deal, balanced, draw_order, epoch_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from genrescope.store.store import Store, StoredTrack

LABELS = ("jazz", "rock")


def library(lengths: Sequence[int], genres: Sequence[str] = LABELS, groups: Sequence[str] = ("",)) -> list[StoredTrack]:
    """Return tracks of these lengths, one after another; genres and groups go round."""
    tracks, first = [], 0
    for number, frames in enumerate(lengths):
        genre, group = genres[number % len(genres)], groups[number % len(groups)]
        tracks.append(stored(f"t{number}", genre, group, first_frame=first, frames=frames))
        first += frames
    return tracks


def batches(tracks: list[StoredTrack], seed: int = 0, **changes: Any) -> Batches:
    """Return the batches of a library in which each frame tells its own number."""
    total = tracks[-1].first_frame + tracks[-1].frames
    frames = np.zeros((total, 128), dtype=np.float16)
    frames[:, 0], rest = np.divmod(np.arange(total), 1000)
    frames[:, 1] = rest / 128  # exact, and not so loud as to be infinite
    wanted = recipe.load("mgcc", {key.replace("__", "."): value for key, value in changes.items()})
    bank = FrameBank(frames, silence=-1.0, device=torch.device("cpu"), padding=wanted.windows.padding)
    store = cast("Store", SimpleNamespace(spec=LogMelSpec()))
    return Batches(store, bank, tracks, LABELS, recipe=wanted, seed=seed)


def numbers(images: Tensor) -> list[list[int]]:
    """Return the numbers of the frames that each window is made of; negative where it is silent."""
    found: list[list[int]] = (1000 * images[:, 0, 0] + 128 * images[:, 0, 1]).round().long().tolist()
    return found


def shown(source: Batches, epoch: int = 1) -> list[tuple[list[int], str]]:
    """Return the windows of an epoch, in order, with their genre."""
    found: list[tuple[list[int], str]] = []
    for images, target in source.epoch(epoch):
        found += zip(numbers(images), (LABELS[at] for at in target.argmax(dim=1).tolist()), strict=True)
    return found


def owner(tracks: list[StoredTrack], frame: int) -> StoredTrack:
    return next(track for track in tracks if track.first_frame <= frame < track.first_frame + track.frames)


RANDOM: dict[str, Any] = {"windows__train": "random", "evaluation__verdict": "vote"}


# -- windows that stand fast --------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["first", "all"])
@pytest.mark.parametrize("order", ["fixed", "shuffled"])
def test_first_and_all_windows_come_in_the_order_of_the_seed(which: Any, order: str) -> None:
    tracks = library([300, 140, 90, 500])
    source = batches(tracks, seed=7, windows__train=which, windows__order=order, training__batch_size=3)
    placed = place(tracks, which)
    assert source.windows == len(placed)
    assert len(source) == -(-len(placed) // 3)
    for epoch in (1, 2):
        generator = torch.Generator().manual_seed(epoch_seed(7, -1 if order == "fixed" else -1 - epoch))
        expected = placed.starts[torch.randperm(len(placed), generator=generator)].tolist()
        assert [window[0] for window, _ in shown(source, epoch)] == expected


def test_targets_are_the_genres_and_the_last_batch_takes_what_is_left() -> None:
    tracks = library([128] * 7)
    pairs = list(batches(tracks, training__batch_size=3).epoch(1))
    assert [len(images) for images, _ in pairs] == [3, 3, 1]
    for images, target in pairs:
        assert target.dtype == torch.float32
        assert target.sum(dim=1).tolist() == [1.0] * len(images)
        assert [owner(tracks, window[0]).genre for window in numbers(images)] == [
            LABELS[at] for at in target.argmax(dim=1).tolist()
        ]


# -- random windows -----------------------------------------------------------------------------------------------


@given(
    lengths=st.lists(st.integers(1, 500), min_size=1, max_size=6),
    crops=st.integers(1, 4),
    frames=st.integers(2, 300),
    epoch=st.integers(1, 50),
)
def test_a_random_window_lies_inside_its_track(lengths: list[int], crops: int, frames: int, epoch: int) -> None:
    tracks = library(lengths)
    source = batches(tracks, **RANDOM, windows__crops=crops, windows__frames=frames)
    windows = shown(source, epoch)
    assert len(windows) == source.windows == crops * len(tracks)
    for window, genre in windows:
        track = owner(tracks, window[0])
        assert track.genre == genre
        heard = min(frames, track.frames)
        assert window[:heard] == list(range(window[0], window[0] + heard))
        assert window[0] + heard <= track.first_frame + track.frames
        assert all(number < 0 for number in window[heard:])
        if track.frames <= frames:
            assert window[0] == track.first_frame


def test_a_random_window_of_a_short_track_repeats_it() -> None:
    tracks = library([50, 300])
    for window, _ in shown(batches(tracks, **RANDOM, windows__padding="repeat", windows__crops=3)):
        if window[0] < 50:
            assert window == [number % 50 for number in range(128)]
        else:
            assert window == list(range(window[0], window[0] + 128))


def test_random_windows_come_from_anywhere_and_from_elsewhere_in_every_epoch() -> None:
    tracks = library([600] * 3)
    source = batches(tracks, **RANDOM, windows__crops=40)
    starts = [[window[0] for window, _ in shown(source, epoch)] for epoch in (1, 2, 1)]
    assert starts[0] == starts[2]
    assert len(set(starts[0]) & set(starts[1])) < 60
    within = np.array(starts[0] + starts[1]) % 600
    assert within.max() <= 600 - 128
    counts, _ = np.histogram(within, bins=4, range=(0, 473))
    assert counts.min() > 35  # of 240 in four quarters
    assert starts[0] != [window[0] for window, _ in shown(batches(tracks, 1, **RANDOM, windows__crops=40))]


@given(
    lengths=st.lists(st.integers(100, 200), min_size=1, max_size=9), crops=st.integers(1, 5), seed=st.integers(0, 99)
)
def test_every_track_is_heard_as_often(lengths: list[int], crops: int, seed: int) -> None:
    tracks = library(lengths)
    source = batches(tracks, seed, **RANDOM, windows__crops=crops)
    count = Counter(source._shown(1).tracks.tolist())
    assert all(abs(count[track] - crops) <= 1 for track in range(len(tracks)))


@given(genres=st.lists(st.sampled_from(LABELS), min_size=2, max_size=25), seed=st.integers(0, 99))
def test_every_genre_is_heard_as_often_in_whatever_order_its_tracks_lie(genres: list[str], seed: int) -> None:
    tracks = library([130] * len(genres), genres)
    its = set(genres)
    source = batches(tracks, seed, **RANDOM, windows__balance="genres", windows__crops=3)
    count = Counter(genre for _, genre in shown(source))
    assert all(abs(count[genre] - 3 * len(genres) / len(its)) <= 1 for genre in its)


def test_balance_by_hand() -> None:
    tracks = library([130] * 4, ["rock", "rock", "rock", "jazz"], ["A", "A", "B", "A"])
    assert balanced(tracks, "tracks").tolist() == [0.25] * 4
    assert balanced(tracks, "genres").tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])


@given(
    weights=st.lists(st.floats(0.01, 1), min_size=1, max_size=20),
    count=st.integers(1, 60),
    seed=st.integers(0, 1000),
)
def test_each_is_dealt_as_often_as_its_weight_says_give_or_take_one(
    weights: list[float], count: int, seed: int
) -> None:
    shares = torch.tensor(weights, dtype=torch.float64)
    shares /= shares.sum()
    dealt = _deal(shares, count, torch.Generator().manual_seed(seed))
    assert len(dealt) == count
    for position, share in enumerate(shares.tolist()):
        assert abs(int((dealt == position).sum()) - count * share) < 1 + 1e-6


def test_what_is_dealt_is_mixed() -> None:
    dealt = _deal(torch.full((50,), 0.02, dtype=torch.float64), 50, torch.Generator().manual_seed(0)).tolist()
    assert sorted(dealt) != dealt
    assert sum(abs(one - other) for one, other in itertools.pairwise(dealt)) > 400


# -- the same again -----------------------------------------------------------------------------------------------

CHANGED: dict[str, Any] = {
    "augment__equaliser_db": 6.0, "augment__mixup": 0.4,
    "augment__time_mask": 0.2, "augment__noise": 0.5,
}  # fmt: skip


def test_an_epoch_is_the_same_when_it_is_begun_again_and_epochs_differ() -> None:
    tracks = library([300, 140, 90, 500, 260])
    settings = RANDOM | CHANGED | {"windows__crops": 2, "training__batch_size": 4}
    source, another = batches(tracks, 3, **settings), batches(tracks, 3, **settings)
    first, second = list(source.epoch(1)), list(source.epoch(2))
    torn = source.epoch(2)
    next(torn)
    for (images, target), (again, told) in zip(first, another.epoch(1), strict=True):
        assert torch.equal(images, again)
        assert torch.equal(target, told)
    for (images, target), (again, told) in zip(second, another.epoch(2), strict=True):
        assert torch.equal(images, again)
        assert torch.equal(target, told)
    assert not torch.equal(first[0][0], second[0][0])


def test_what_is_on_does_not_decide_which_windows_are_shown() -> None:
    tracks = library([600] * 4)
    plain = batches(tracks, **RANDOM, windows__crops=3)._shown(2)
    changed = batches(tracks, **RANDOM, windows__crops=3, augment__equaliser_db=6.0, augment__mixup=0.3)._shown(2)
    assert torch.equal(plain.starts, changed.starts)


def test_labels_of_mixed_windows_add_up_to_one() -> None:
    mixed = 0
    for _, target in batches(library([200] * 8), **RANDOM, augment__mixup=1.0).epoch(1):
        torch.testing.assert_close(target.sum(dim=1), torch.ones(len(target)))
        mixed += int(((target > 0).sum(dim=1) > 1).sum())
    assert mixed > 0


def test_orders_of_neighbouring_seeds_and_epochs_share_nothing() -> None:
    orders = [tuple(draw_order(12, seed, epoch).tolist()) for seed in range(5) for epoch in range(5)]
    assert len(set(orders)) == 25
    assert len({epoch_seed(seed, epoch) for seed in range(30) for epoch in range(-30, 30)}) == 30 * 60
