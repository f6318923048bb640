"""Windows lie side by side in their own track, and what is cut is what lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from conftest import stored
from hypothesis import given
from hypothesis import strategies as st

from genrescope.features import windows
from genrescope.features.windows import FrameBank, Windows, draw, place

if TYPE_CHECKING:
    import pytest

    from genrescope.store.store import Frames, StoredTrack

SILENCE = -13.8


def library(lengths: list[int]) -> tuple[list[StoredTrack], Frames]:
    """Return tracks of these lengths one after another, and an array in which every value differs from the next."""
    tracks, first = [], 0
    for number, frames in enumerate(lengths):
        tracks.append(stored(f"t{number}", first_frame=first, frames=frames))
        first += frames
    rng = np.random.default_rng(0)
    return tracks, rng.standard_normal((first, 128)).astype(np.float16)


def bank(frames: Frames) -> FrameBank:
    return FrameBank(frames, silence=SILENCE, device=torch.device("cpu"))


@given(lengths=st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_all_windows_lie_whole_in_their_track_and_never_overlap(lengths: list[int]) -> None:
    tracks, _ = library(lengths)
    placed = place(tracks)
    assert len(placed) == sum(max(1, frames // 128) for frames in lengths)
    for start, end, owner in zip(placed.starts.tolist(), placed.ends.tolist(), placed.tracks.tolist(), strict=True):
        track = tracks[owner]
        assert end == track.first_frame + track.frames
        assert track.first_frame <= start < end
        assert start + 128 <= end or track.frames < 128
        assert (start - track.first_frame) % 128 == 0
    assert len(set(placed.starts.tolist())) == len(placed)


@given(lengths=st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_first_places_one_window_a_track_at_its_beginning(lengths: list[int]) -> None:
    tracks, _ = library(lengths)
    placed = place(tracks, "first")
    assert placed.starts.tolist() == [track.first_frame for track in tracks]
    assert placed.tracks.tolist() == list(range(len(tracks)))


@given(lengths=st.lists(st.integers(1, 400), min_size=1, max_size=5))
def test_a_cut_is_the_slice_transposed_and_what_lacks_is_silence(lengths: list[int]) -> None:
    tracks, frames = library(lengths)
    placed = place(tracks)
    images = bank(frames).cut(placed)
    assert images.shape == (len(placed), 1, 128, 128)
    assert images.dtype == torch.float32
    for image, start, end in zip(images, placed.starts.tolist(), placed.ends.tolist(), strict=True):
        own = frames[start : min(start + 128, end)].astype(np.float32).T
        np.testing.assert_array_equal(image[0, :, : own.shape[1]].numpy(), own)
        assert (image[0, :, own.shape[1] :] == SILENCE).all()


def test_other_lengths_of_window_can_be_cut() -> None:
    tracks, frames = library([100])
    placed = place(tracks, length=30)
    assert placed.starts.tolist() == [0, 30, 60]
    assert bank(frames).cut(placed, length=30).shape == (3, 1, 128, 30)


def test_take_and_split_keep_windows_and_owners_together() -> None:
    tracks, _ = library([300, 140, 500])
    placed = place(tracks)
    order = torch.tensor([4, 0, 2])
    taken = placed.take(order)
    assert taken.starts.tolist() == [placed.starts[n].item() for n in (4, 0, 2)]
    assert taken.tracks.tolist() == [placed.tracks[n].item() for n in (4, 0, 2)]
    pieces = list(placed.split(4))
    assert [len(piece) for piece in pieces] == [4, 2]
    assert torch.cat([piece.starts for piece in pieces]).equal(placed.starts)


def test_no_tracks_give_no_windows() -> None:
    assert len(place([])) == 0
    assert list(place([]).split(4)) == []


def test_batches_come_in_order_with_their_images() -> None:
    tracks, frames = library([300, 140, 500])
    placed, source = place(tracks), bank(frames)
    for batch, images in source.batches(placed.split(4)):
        assert torch.equal(images, source.cut(batch))
    assert [len(batch) for batch, _ in source.batches(placed.split(4))] == [4, 2]


def test_a_bank_that_does_not_fit_gathers_on_the_cpu_and_stays_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_fits", lambda *_: False)
    tracks, frames = library([300, 140])
    source = FrameBank(frames, silence=SILENCE, device=torch.device("meta"))
    pairs = list(source.batches(place(tracks).split(2)))
    assert [images.device.type for _, images in pairs] == ["meta", "meta"]


# -- overlap, repetition, chance ----------------------------------------------------------------------------------


@given(
    lengths=st.lists(st.integers(1, 700), min_size=1, max_size=5), length=st.integers(1, 300), hop=st.integers(1, 300)
)
def test_windows_that_overlap_begin_a_hop_apart_as_many_as_fit(lengths: list[int], length: int, hop: int) -> None:
    tracks, _ = library(lengths)
    placed = place(tracks, length=length, hop=hop)
    for position, track in enumerate(tracks):
        own = placed.take((placed.tracks == position).nonzero().flatten())
        expected = [start for start in range(0, track.frames, hop) if start + length <= track.frames] or [0]
        assert (own.starts - track.first_frame).tolist() == expected
        assert set(own.ends.tolist()) == {track.first_frame + track.frames}


def test_a_hop_of_nothing_or_of_a_window_places_them_side_by_side() -> None:
    tracks, _ = library([700, 130])
    expected = place(tracks).starts.tolist()
    assert place(tracks, hop=0).starts.tolist() == place(tracks, hop=128).starts.tolist() == expected
    assert place(tracks, "first", hop=10).starts.tolist() == [0, 700]


@given(lengths=st.lists(st.integers(1, 200), min_size=1, max_size=5), length=st.integers(1, 500))
def test_a_track_shorter_than_a_window_is_repeated(lengths: list[int], length: int) -> None:
    tracks, frames = library(lengths)
    placed = place(tracks, length=length)
    repeating = FrameBank(frames, silence=SILENCE, device=torch.device("cpu"), padding="repeat")
    images = repeating.cut(placed, length=length)
    for image, start, owner in zip(images, placed.starts.tolist(), placed.tracks.tolist(), strict=True):
        end = tracks[owner].first_frame + tracks[owner].frames
        own = np.resize(frames[start:end].astype(np.float32), (length, 128))
        np.testing.assert_array_equal(image[0].numpy(), own.T)


def test_padding_changes_no_window_that_is_whole() -> None:
    tracks, frames = library([300, 128, 500])
    repeating = FrameBank(frames, silence=SILENCE, device=torch.device("cpu"), padding="repeat")
    assert torch.equal(repeating.cut(place(tracks)), bank(frames).cut(place(tracks)))


@given(
    lengths=st.lists(st.integers(1, 400), min_size=1, max_size=5),
    length=st.integers(1, 300),
    picks=st.lists(st.integers(0, 4), max_size=20),
    seed=st.integers(0, 1000),
)
def test_a_window_drawn_at_random_lies_in_the_track_it_was_drawn_for(
    lengths: list[int], length: int, picks: list[int], seed: int
) -> None:
    tracks, _ = library(lengths)
    chosen = torch.tensor([pick % len(tracks) for pick in picks], dtype=torch.int64)
    drawn = draw(tracks, chosen, length=length, generator=torch.Generator().manual_seed(seed))
    again = draw(tracks, chosen, length=length, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(drawn.starts, again.starts)
    assert torch.equal(drawn.tracks, chosen)
    for start, end, owner in zip(drawn.starts.tolist(), drawn.ends.tolist(), picks, strict=True):
        track = tracks[owner % len(tracks)]
        assert end == track.first_frame + track.frames
        assert track.first_frame <= start
        assert start + length <= end or (track.frames < length and start == track.first_frame)


def test_every_place_is_as_likely_the_last_one_too() -> None:
    tracks, _ = library([132])
    drawn = draw(tracks, torch.zeros(5000, dtype=torch.int64), length=128, generator=torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn.starts)
    assert len(counts) == 5
    assert (counts - 1000).abs().max() < 120


def test_windows_know_their_number() -> None:
    assert len(Windows(torch.tensor([0, 1]), torch.tensor([2, 2]), torch.tensor([0, 0]))) == 2
