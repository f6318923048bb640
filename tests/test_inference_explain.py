"""Explanations find where the evidence is, and hiding it costs a score more than hiding other parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from cli_support import assert_refused, here, world
from conftest import noise, tone
from torch import Tensor, nn

from genrescope.features.logmel import mel_centres
from genrescope.features.placement import WindowSpec
from genrescope.features.spec import LogMelSpec, Spec, WaveSpec
from genrescope.inference.explain import explain
from genrescope.inference.explanation import Grid
from genrescope.modelfile import Header, Model

if TYPE_CHECKING:
    from cli_support import World

LABELS = ("tone", "none")
LOW, HIGH = 1900.0, 2100.0


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


class TonesOnly(nn.Module):
    """Whether bands around 2 kHz stand above what is usual: all that it looks at."""

    def __init__(self, spec: LogMelSpec) -> None:
        super().__init__()
        centres = mel_centres(spec)
        self.bands = torch.from_numpy((centres > LOW) & (centres < HIGH))

    def forward(self, windows: Tensor) -> Tensor:
        evidence = windows[:, 0][:, self.bands].clamp(min=0).mean(dim=(1, 2))
        return torch.stack([evidence, 0.1 - evidence], dim=1) * 0.2


class Loudness(nn.Module):
    """How loud a waveform is."""

    def forward(self, windows: Tensor) -> Tensor:
        evidence = windows.square().mean(dim=(1, 2, 3))
        return torch.stack([evidence, -evidence], dim=1) * 50


def model(network: nn.Module, spec: Spec, frames: int) -> Model:
    header = Header(
        model="own", labels=LABELS, front_end=spec, windows=WindowSpec(frames, padding="repeat"), made_with="0"
    )
    return Model(header, network.eval(), Path("own"))


def burst(rate: int = 22_050, *, at: float = 6.0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return 12 s of noise and other tones, with a tone of 2 kHz for 1.2 s."""
    song = noise(12.0, rate=rate, level=0.02) + tone(400, rate=rate, seconds=12.0, level=0.4)
    song[round(at * rate) : round((at + 1.2) * rate)] += tone(2000, rate=rate, seconds=1.2, level=0.5)
    return song


def test_the_only_evidence_is_found_in_time_and_frequency() -> None:
    spec = LogMelSpec()
    found = explain(model(TonesOnly(spec), spec, 128), burst(), sample_rate=22_050)
    drops = found.drops["tone"]
    assert drops.shape == Grid.over(spec.frames(12 * 22_050), spec).shape
    start, end, low, high, drop = found.strongest("tone", 1)[0]
    assert drop > 0.01
    assert 5.2 < start < end < 8.0
    assert low < 2000 < high
    inside = (found.times[:-1] < 7.3) & (found.times[1:] > 5.9)
    assert np.clip(drops[:, ~inside], 0, None).max() < drop / 20
    np.testing.assert_allclose(found.drops["none"], -drops, atol=1e-6)  # two labels that exclude each other


def test_a_song_shorter_than_a_window_and_a_waveform_are_explained() -> None:
    spec = LogMelSpec()
    short = explain(model(TonesOnly(spec), spec, 128), burst()[: 2 * 22_050], sample_rate=22_050)
    assert short.drops["tone"].shape == (8, 3)
    wave = np.zeros(8 * 8000, np.float32)
    wave[3 * 8000 : 4 * 8000] = tone(300, rate=8000, level=0.9)
    found = explain(model(Loudness(), WaveSpec(8000), 16_000), wave, sample_rate=8000)
    start, end, *_, drop = found.strongest("tone", 1)[0]
    assert drop > 0
    assert 2.2 < start < end < 4.8


def test_a_part_of_a_song_is_explained_at_its_place() -> None:
    spec = LogMelSpec()
    tones = model(TonesOnly(spec), spec, 128)
    found = explain(tones, burst(), sample_rate=22_050, start=4.0, end=10.0).evidence("tone")
    assert (found["genre"], found["start"]) == ("tone", 4.0)
    assert found["end"] == pytest.approx(10.0, abs=0.05)
    drops = np.array(found["evidence"])
    assert drops.shape == (len(found["bands"]) - 1, len(found["times"]) - 1)
    band, span = np.unravel_index(drops.argmax(), drops.shape)
    assert 5.2 < found["times"][span] < found["times"][span + 1] < 8.0
    assert found["bands"][band] < 2000 < found["bands"][band + 1]
    alone = explain(tones, burst()[4 * 22_050 : 10 * 22_050], sample_rate=22_050)
    np.testing.assert_array_equal(alone.drops["tone"], drops.astype(np.float32))
    for start, end in ((-1.0, None), (3.0, 3.0), (float("nan"), None), (13.0, None)):
        with pytest.raises(ValueError, match=r"accepted are seconds|ends before 13 s"):
            explain(tones, burst(), sample_rate=22_050, start=start, end=end)
    with pytest.raises(ValueError, match='genre "jazz"; accepted are none, tone'):
        explain(tones, burst(), sample_rate=22_050, end=3.0).evidence("jazz")


def test_silence_is_explained_by_nothing() -> None:
    spec = LogMelSpec()
    found = explain(model(TonesOnly(spec), spec, 128), np.zeros(5 * 22_050, np.float32), sample_rate=22_050)
    assert np.abs(found.drops["tone"]).max() < 1e-6


def test_the_command_draws_a_picture_and_names_the_parts(made: World, tmp_path: Path) -> None:
    from PIL import Image

    song, out = made.songs("hiss")[1], tmp_path / "why.png"
    done = here("explain", made.run, song, "--out", out)
    assert done.code == 0, done.err
    assert done.out.count(" to ") == 12  # three parts of two genres, each with times and frequencies
    assert done.next == ["predict", str(made.run), str(song)]
    with Image.open(out) as picture:
        assert picture.size[0] > 1000
        assert len(picture.getcolors(1 << 20) or ()) > 20


def test_what_cannot_be_drawn_is_refused(made: World, tmp_path: Path) -> None:
    assert_refused(here("explain", made.run, made.songs()[0], "--out", tmp_path / "why.txt"), "ends in .png")
    out = ("--out", tmp_path / "why.png")
    assert_refused(here("explain", made.run, tmp_path / "no.wav", *out), "no such file")
    assert_refused(
        here("explain", made.run, made.songs()[0], *out, "--genre", "jazz"), "accepted are drone, hiss, pulse"
    )
    assert_refused(here("explain", made.run, made.songs()[0], *out, "--start", 99), "ends before 99 s")
    assert list(tmp_path.iterdir()) == []


def test_a_classifier_explains(made: World) -> None:
    import genrescope

    classifier = genrescope.load(made.run, device="cpu")
    song = made.songs("pulse")[1]
    found = classifier.explain(song)
    prediction = classifier.predict(song)
    assert found.genre == prediction.genre
    assert found.scores == pytest.approx(prediction.scores)
