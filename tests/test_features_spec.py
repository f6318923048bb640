"""The numbers of a front end: what is accepted, how long a frame lasts, and what a file of them says."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from conftest import RATE
from hypothesis import given
from hypothesis import strategies as st

from genrescope.features.spec import KaldiSpec, LogMelSpec, Spec, WaveSpec, from_dict, to_dict

KINDS: tuple[type[Spec], ...] = (LogMelSpec, KaldiSpec, WaveSpec)
OTHERS: dict[str, dict[str, Any]] = {
    "log-mel": {
        "sample_rate": 44_100, "n_fft": 4096, "hop": 256, "n_mels": 64, "f_min": 10.0, "f_max": 8000.0,
        "window": "hann", "compression": "log10", "floor": 1e-5,
    },
    "kaldi": {
        "sample_rate": 32_000, "win_length": 800, "hop": 320, "n_mels": 64, "f_min": 10.0, "f_max": 7600.0,
        "pre_emphasis": 0.9, "floor": 1e-5, "mean": -5.0, "std": 4.0,
    },
    "wave": {"sample_rate": 24_000},
}  # fmt: skip
"""For each kind a number other than its own for every name; `gain` goes with another compression only."""


@given(samples=st.integers(0, 10**7))
def test_frames_are_one_more_than_whole_hops(samples: int) -> None:
    assert LogMelSpec().frames(samples) == samples // 512 + 1


def test_a_clip_of_gtzan_has_1292_frames_and_a_window_lasts_almost_three_seconds() -> None:
    spec = LogMelSpec()
    assert spec.frames(30 * RATE) == 1292
    assert spec.seconds(128) == pytest.approx(2.97, abs=0.005)
    assert spec.frame_rate == pytest.approx(43.07, abs=0.005)
    assert spec.silence == pytest.approx(np.log(1e-6))


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (399, 1), (400, 1), (559, 1), (560, 2), (160_000, 998)])
def test_frames_of_kaldi_lie_inside_the_wave(samples: int, frames: int) -> None:
    assert KaldiSpec().frames(samples) == frames


@pytest.mark.parametrize("kind", KINDS)
def test_seconds_are_frames_over_the_frame_rate(kind: type[Spec]) -> None:
    assert kind().seconds(300) == pytest.approx(300 / kind().frame_rate)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"window": "triangle"}, 'accepted is "hamming" or "hann"'),
        ({"window": ["hann"]}, 'accepted is "hamming" or "hann"'),
        ({"compression": "db"}, 'accepted is "log" or "log10"'),
        ({"n_fft": 511, "hop": 511}, "even number"),
        ({"n_fft": 131_072}, "n_fft 131072; accepted is a whole number from 2 to 65536"),
        ({"n_fft": 0}, "n_fft"),
        ({"n_fft": 2048.0}, "whole number"),
        ({"f_max": 12_000.0}, "f_max 12000.0; accepted is a number from 0 to 11025"),
        ({"f_min": -1.0}, "f_min"),
        ({"f_min": math.nan}, "f_min nan"),
        ({"f_max": math.inf}, "f_max inf"),
        ({"f_max": 10**400}, "f_max"),
        ({"f_min": "low"}, "f_min 'low'"),
        ({"f_min": 500.0, "f_max": 400.0}, "f_min < f_max"),
        ({"floor": 0.0}, "floor"),
        ({"floor": math.nan}, "floor"),
        ({"floor": True}, "floor True"),
        ({"gain": 5.0}, 'no part in compression "log"'),
        ({"compression": "log10", "floor": 1e-5}, 'no part in compression "log10"'),
        ({"compression": "log10", "gain": -1.0}, "gain"),
        ({"n_mels": 0}, "n_mels"),
        ({"n_mels": True}, "n_mels True"),
        ({"n_mels": 1025}, "n_mels"),
        ({"hop": 0}, "hop"),
        ({"hop": 2049}, "hop 2049; accepted is a whole number from 1 to 2048"),
        ({"sample_rate": 999}, "sample_rate"),
        ({"sample_rate": 10**9}, "sample_rate"),
    ],
)
def test_contradicting_numbers_of_a_log_mel_are_refused(numbers: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LogMelSpec(**numbers)
    with pytest.raises(ValueError, match=words):
        from_dict({"kind": "log-mel"} | numbers)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"win_length": 1}, "win_length"),
        ({"hop": 401}, "hop"),
        ({"f_max": 8001.0}, "f_max"),
        ({"pre_emphasis": 1.5}, "pre_emphasis"),
        ({"std": 0.0}, "std"),
        ({"mean": math.inf}, "mean"),
        ({"floor": 0}, "floor"),
    ],
)
def test_contradicting_numbers_of_kaldi_are_refused(numbers: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        KaldiSpec(**numbers)


@pytest.mark.parametrize("rate", [0, 16_000.0, True, "16000", None])
def test_other_rates_of_a_wave_are_refused(rate: Any) -> None:
    with pytest.raises(ValueError, match="sample_rate"):
        WaveSpec(rate)


@pytest.mark.parametrize("kind", KINDS)
def test_any_other_number_gives_another_fingerprint(kind: type[Spec]) -> None:
    others = OTHERS[kind.kind]
    assert {field.name for field in dataclasses.fields(kind)} == set(others) | ({"gain"} & set(to_dict(kind())))
    prints = {kind(**{name: value}).fingerprint for name, value in others.items()}
    assert len(prints | {kind().fingerprint}) == len(others) + 1
    assert kind().fingerprint == kind().fingerprint


def test_the_gain_and_the_kind_are_in_the_fingerprint() -> None:
    assert LogMelSpec(compression="log10", gain=1e3).fingerprint != LogMelSpec(compression="log10").fingerprint
    assert len({kind().fingerprint for kind in KINDS}) == len(KINDS)


def test_a_whole_number_is_the_same_as_its_float() -> None:
    assert LogMelSpec(f_max=8000).fingerprint == LogMelSpec(f_max=8000.0).fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_reads_back(kind: type[Spec]) -> None:
    for name, value in OTHERS[kind.kind].items():
        spec = kind(**{name: value})
        assert from_dict(json.loads(json.dumps(to_dict(spec)))) == spec
    assert from_dict({"kind": kind.kind}) == kind()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (None, "not NoneType"),
        ([], "not list"),
        ({}, "kind None"),
        ({"kind": "mfcc"}, 'kind \'mfcc\'; this version knows "log-mel", "kaldi", "wave"'),
        ({"kind": ["wave"]}, "this version knows"),
        ({"kind": "wave", "hop": 1}, 'hop is no number of the front end "wave"; it has sample_rate'),
        ({"kind": "kaldi", "window": "hann"}, "window is no number"),
        ({"kind": "wave", 5: 1}, "5 is no number"),
    ],
)
def test_what_is_no_front_end_is_refused(values: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_dict(values)


def test_the_numbers_need_no_torch() -> None:
    code = "import sys, genrescope.features.spec, genrescope.features.front_end; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_frames_are_kept_as_finely_as_their_networks_need_them() -> None:
    kept = {(spec.kind, getattr(spec, "compression", "")): spec.dtype for spec in (
        LogMelSpec(), LogMelSpec(compression="log10"), KaldiSpec(), WaveSpec(),
    )}  # fmt: skip
    assert kept == {
        ("log-mel", "log"): "float16",
        ("log-mel", "log10"): "float32",
        ("kaldi", ""): "float16",
        ("wave", ""): "float32",
    }
