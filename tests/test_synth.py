"""Synthesised music: the same each time, never out of bounds, and music: in its tempo, its scale and its parts."""

from __future__ import annotations

import csv
import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope import synth
from genrescope.audio import SAMPLE_RATE, Wave, decode
from genrescope.errors import DataError
from genrescope.sources.data import read_data
from genrescope.synth.band import artist_of, generator, sections
from genrescope.synth.styles import SCALES
from genrescope.synth.voices import DRUMS, VOICES, drum, tone

if TYPE_CHECKING:
    from pathlib import Path

STYLES = sorted(synth.STYLES)
each_style = pytest.mark.parametrize("style", STYLES)


# -- the wave ---------------------------------------------------------------------------------------------------


def test_there_are_ten_styles_with_names_fit_for_folders() -> None:
    assert len(STYLES) == 10
    assert all(name.isalpha() and name.islower() for name in STYLES)


@each_style
def test_same_arguments_give_the_same_wave(style: str) -> None:
    first = synth.compose(style, artist=3, track=2, seconds=2.0, seed=5)
    artist_of.cache_clear()
    assert np.array_equal(first, synth.compose(style, artist=3, track=2, seconds=2.0, seed=5))


def test_seed_style_artist_and_track_each_change_the_wave() -> None:
    waves = [
        synth.compose("sunhopper", seconds=1.0),
        synth.compose("sunhopper", seconds=1.0, seed=1),
        synth.compose("sunhopper", seconds=1.0, artist=1),
        synth.compose("sunhopper", seconds=1.0, track=1),
        synth.compose("dustreel", seconds=1.0),
    ]
    for one, other in itertools.combinations(waves, 2):
        assert np.abs(one - other).max() > 0.01


@each_style
def test_level_is_that_of_a_recording(style: str) -> None:
    for artist in range(3):
        wave = synth.compose(style, artist=artist, seconds=6.0)
        assert wave.dtype == np.float32
        assert np.isfinite(wave).all()
        assert np.abs(wave).max() <= 0.95
        assert -24 <= 20 * np.log10(np.sqrt(np.mean(wave**2))) <= -10
        assert abs(wave.mean()) < 1e-3
        assert abs(wave[0]) < 1e-4
        assert abs(wave[-1]) < 1e-4


@settings(max_examples=15, deadline=None)
@given(
    style=st.sampled_from(STYLES),
    artist=st.integers(0, synth.MAX_ARTISTS - 1),
    seconds=st.floats(0.001, 3.0),
    rate=st.sampled_from([8000, 22050, 44100]),
)
def test_any_length_and_rate_give_a_bounded_wave(style: str, artist: int, seconds: float, rate: int) -> None:
    wave = synth.compose(style, artist=artist, seconds=seconds, sample_rate=rate)
    assert wave.shape == (max(1, round(seconds * rate)),)
    assert np.isfinite(wave).all()
    assert np.abs(wave).max() <= 0.95


def test_no_section_is_silent() -> None:
    for style in STYLES:
        wave = synth.compose(style, seconds=12.0)
        seconds = wave[: 11 * SAMPLE_RATE].reshape(11, -1)
        assert np.sqrt(np.mean(seconds**2, axis=1)).min() > 0.003


# -- the music --------------------------------------------------------------------------------------------------


@each_style
def test_tempo_lies_in_the_styles_range(style: str) -> None:
    slow, fast = synth.STYLES[style].tempo
    tempos = [synth.score(style, artist=a, track=t, seconds=1.0).tempo for a in range(12) for t in range(3)]
    assert slow <= min(tempos) < max(tempos) <= fast


@pytest.mark.parametrize("style", [style for style in STYLES if style != "nightmoss"])  # it hardly has a beat
def test_beat_can_be_heard(style: str) -> None:
    """The onsets' correlation with themselves, one beat later, stands out."""
    wave = synth.compose(style, artist=1, seconds=15.0)
    beat = 60 / synth.score(style, artist=1, seconds=15.0).tempo * SAMPLE_RATE / 256
    onsets = _onsets(wave, hop=256)
    similar = np.correlate(onsets, onsets, "full")[len(onsets) - 1 :] / np.sum(onsets**2)
    near = similar[int(0.95 * beat) : int(1.05 * beat) + 2].max()
    assert near > 0.12
    assert near > np.median(similar[int(beat / 2) : int(2 * beat)]) + 0.1


def _onsets(wave: Wave, *, hop: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the growth of the spectrum from hop to hop, its mean removed."""
    frames = np.lib.stride_tricks.sliding_window_view(wave, 1024)[::hop] * np.hanning(1024)
    loudness = np.log1p(100 * np.abs(np.fft.rfft(frames, axis=1)))
    growth = np.maximum(np.diff(loudness, axis=0), 0).sum(axis=1)
    centred: np.ndarray[tuple[int], np.dtype[np.float64]] = growth - growth.mean()
    return centred


@each_style
def test_every_note_is_of_the_scale(style: str) -> None:
    scale = set(SCALES[synth.STYLES[style].scale])
    for track in range(4):
        score = synth.score(style, track=track)
        assert {(note.pitch - score.tonic) % 12 for note in score.notes} <= scale


@each_style
def test_song_has_all_its_parts_and_changes_between_sections(style: str) -> None:
    score = synth.score(style)
    assert {note.part for note in score.notes} == {"bass", "chords", "lead"}
    assert {hit.drum for hit in score.hits} == set(synth.STYLES[style].drums)
    bar = synth.STYLES[style].beats * 60 / score.tempo
    playing: dict[int, set[str]] = {}
    for note in score.notes:
        playing.setdefault(int(note.start / bar + 0.02), set()).add(note.part)
    assert len(set(map(frozenset, playing.values()))) > 1


def test_motif_comes_again() -> None:
    """Most steps of the melody's rhythm are the same two bars later: that is what makes it a melody."""
    score = synth.score("ironpulse", seconds=40.0)
    bar = 4 * 60 / score.tempo
    places = [(int(n.start / bar + 0.01), round(n.start / bar % 1 * 16) % 16) for n in score.notes if n.part == "lead"]
    later = {(number - 2, step) for number, step in places}
    assert sum(place in later for place in places) > 0.3 * len(places)


def test_patterns_fill_their_bars() -> None:
    for style in synth.STYLES.values():
        steps = style.beats * style.grid
        patterns = (*style.bass, *style.comp, *style.rhythms, *itertools.chain(*style.drums.values()))
        assert {len(pattern) for pattern in patterns} == {steps}
        assert set("".join(patterns)) <= set("xo.-12345678")
        assert set(style.leads) | set(style.harmony) | set(style.basses) <= VOICES.keys()


def test_form_fits_short_and_long_songs() -> None:
    assert "".join(sections("iAB", 4)) == "iABA"
    assert "".join(sections("iAB", 12)) == "iiiiAAAABBBB"
    assert "".join(sections("iAB", 20)) == "iiiiAAAABBBBAAAABBBB"  # the introduction does not come again


@pytest.mark.parametrize("field", ["tempo", "voices", "kit", "studio", "levels"])
def test_artists_differ(field: str) -> None:
    artists = [artist_of("tidebell", number, 0) for number in range(6)]
    owners = artists if field == "tempo" else [artist.sound for artist in artists]
    assert all(getattr(a, field) != getattr(b, field) for a, b in itertools.combinations(owners, 2))


def test_generator_is_the_same_on_every_machine() -> None:
    assert generator(0, "emberwalk", 1).integers(0, 1000, 5).tolist() == [150, 315, 168, 190, 85]


# -- instruments ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(VOICES))
def test_note_has_its_pitch_and_neither_begins_nor_ends_with_a_click(name: str) -> None:
    wave = tone(dataclasses.replace(VOICES[name], vibrato=0.0), 440.0, 0.5, rate=SAMPLE_RATE)
    assert np.abs(wave[[0, -1]]).max() < 1e-4
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), SAMPLE_RATE))  # one bin for each Hz
    harmonics = sum(spectrum[440 * h - 12 : 440 * h + 13].sum() for h in range(1, 20))
    between = sum(spectrum[440 * h + 150 : 440 * h + 175].sum() for h in range(1, 20))
    inharmonic = VOICES[name].ratio % 1 != 0
    assert harmonics > (1 if inharmonic else 8) * between
    assert spectrum[430:451].max() > 0.2 * spectrum.max()


@pytest.mark.parametrize("name", sorted(DRUMS))
def test_drum_dies_away(name: str) -> None:
    wave = drum(DRUMS[name], rng=np.random.default_rng(0), rate=SAMPLE_RATE)
    assert abs(wave[-1]) < 1e-6
    assert np.abs(wave[len(wave) // 2 :]).max() < 0.25 * np.abs(wave).max()


def test_high_notes_do_not_fold_back() -> None:
    """Every harmonic of a bright voice lies under half the sample rate: nothing sounds below the note."""
    wave = tone(VOICES["square"], 3000.0, 0.5, rate=SAMPLE_RATE)
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), SAMPLE_RATE))
    assert spectrum[:2500].max() < 0.01 * spectrum.max()


# -- errors -----------------------------------------------------------------------------------------------------


def test_unknown_style_names_the_nearest() -> None:
    with pytest.raises(DataError, match='no style called "emberwalc"; did you mean "emberwalk"'):
        synth.compose("emberwalc")


@pytest.mark.parametrize(
    "wrong",
    [{"artist": -1}, {"artist": synth.MAX_ARTISTS}, {"track": -1}, {"seconds": 0.0}, {"seconds": float("nan")}],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError, match="accepted"):
        synth.compose("emberwalk", **wrong)  # type: ignore[arg-type]


def test_sample_rate_out_of_range_is_refused() -> None:
    with pytest.raises(DataError, match="8000 to 96000"):
        synth.compose("emberwalk", sample_rate=100)


@pytest.mark.parametrize(
    "wrong",
    [{"suffix": ".mp3"}, {"artists": 0}, {"styles": []}, {"styles": ["rok"]}, {"crossover": 1.1}],
)
def test_a_wrong_data_set_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        synth.Collection(**wrong)


def test_crossover_lends_an_artist_traits_of_other_styles_but_not_its_rhythm_and_scale() -> None:
    own = synth.STYLES["emberwalk"]
    theirs = [artist_of("emberwalk", number, 0) for number in range(40)]
    mixed = [artist_of("emberwalk", number, 0, 0.5) for number in range(40)]
    assert all(own.tempo[0] <= artist.tempo[0] and artist.tempo[1] <= own.tempo[1] for artist in theirs)
    strangers = sum(not own.tempo[0] <= artist.tempo[0] <= own.tempo[1] for artist in mixed)
    assert 5 < strangers < 25
    assert [artist.drums for artist in mixed] == [artist.drums for artist in theirs]
    assert synth.score("emberwalk").hits != synth.score("emberwalk", crossover=1).hits
    assert artist_of("emberwalk", 0, 0, 0.0) == theirs[0]


# -- the data set -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".ogg", ".flac", ".wav"])
def test_data_set_can_be_read_as_a_card(tmp_path: Path, suffix: str) -> None:
    styles = ["tidebell", "ironpulse"]
    assert synth.write_dataset(tmp_path, synth.Collection(2, 2, 0.5, styles=styles, suffix=suffix)) == 8
    _, tracks = read_data(f"synth:{tmp_path}")
    assert [track.id for track in tracks[:2]] == [f"ironpulse/ironpulse-a00-t0{t}{suffix}" for t in range(2)]
    assert {track.genre for track in tracks} == set(styles)
    assert len({track.group for track in tracks}) == 4
    wave = decode(tracks[0].path)
    original = synth.compose("ironpulse", seconds=0.5)
    assert wave.shape == original.shape
    assert np.corrcoef(wave, original)[0, 1] > (0.9 if suffix == ".ogg" else 0.9999)


def test_second_run_writes_only_what_is_missing(tmp_path: Path) -> None:
    def write() -> list[tuple[int, int]]:
        calls: list[tuple[int, int]] = []
        synth.write_dataset(
            tmp_path, synth.Collection(2, 1, 0.3, styles=["dustreel"], suffix=".wav"),
            on_track=lambda done, total: calls.append((done, total)),
        )  # fmt: skip
        return calls

    assert write() == [(1, 2), (2, 2)]
    kept, lost = sorted(tmp_path.rglob("*.wav"))
    kept.write_bytes(b"kept as it is")
    before = lost.read_bytes()
    lost.unlink()
    (tmp_path / "tracks.csv").unlink()
    assert write() == [(1, 2), (2, 2)]
    assert kept.read_bytes() == b"kept as it is"
    assert lost.read_bytes() == before
    with (tmp_path / "tracks.csv").open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [
            "dustreel/dustreel-a00-t00.wav",
            "dustreel/dustreel-a01-t00.wav",
        ]


def test_interrupted_run_leaves_no_listing_and_no_half_file(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synth.write_dataset(tmp_path, synth.Collection(2, seconds=0.3, styles=["dustreel"]), on_track=stop)
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["dustreel-a00-t00.flac", "synth.json"]


def test_processes_write_the_same_files(tmp_path: Path) -> None:
    for jobs in (1, 2):
        synth.write_dataset(
            tmp_path / str(jobs), synth.Collection(2, 1, 0.3, styles=["nightmoss"], suffix=".wav"), jobs=jobs
        )
    for path in sorted((tmp_path / "1").rglob("*.*")):
        assert path.read_bytes() == (tmp_path / "2" / path.relative_to(tmp_path / "1")).read_bytes()


@pytest.mark.parametrize("other", [{"seed": 1}, {"seconds": 0.4}, {"crossover": 0.5}])
def test_music_of_two_kinds_is_not_mixed_in_one_folder(tmp_path: Path, other: dict[str, float]) -> None:
    kind = synth.Collection(1, 1, 0.3, styles=["dustreel"])
    synth.write_dataset(tmp_path, kind)
    with pytest.raises(DataError, match="choose another folder"):
        synth.write_dataset(tmp_path, dataclasses.replace(kind, **other))  # type: ignore[arg-type]


def test_minutes_of_ogg_can_be_written(tmp_path: Path) -> None:
    """libsndfile's encoder fails on minutes given at once."""
    synth.write_dataset(tmp_path, synth.Collection(1, 1, 120.0, styles=["nightmoss"], suffix=".ogg"))
    assert soundfile.info(next(tmp_path.rglob("*.ogg"))).frames == 120 * SAMPLE_RATE


def test_no_two_artists_share_a_name() -> None:
    names = {synth.artist_name(style, artist) for style in STYLES for artist in range(synth.MAX_ARTISTS)}
    assert len(names) == len(STYLES) * synth.MAX_ARTISTS
