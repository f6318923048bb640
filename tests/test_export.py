"""An exported model gives what torch gives, runs without torch, and says what it is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cli_support import assert_refused, here, sound, world
from conftest import noise, write
from export_support import KINDS, LABELS, means, model, one_table, session_of, waves  # noqa: F401 - a fixture
from torch import nn

from genrescope import ModelFileError
from genrescope.export import parts
from genrescope.export.check import Session, by_torch
from genrescope.export.onnx_file import Traced
from genrescope.export.quantise import quantised
from genrescope.features.front_end import make, stored
from genrescope.features.placement import WindowSpec
from genrescope.features.spec import WaveSpec
from genrescope.inference.scorer import Scorer
from genrescope.modelfile import Model
from genrescope.modelfile.header import Requirement

if TYPE_CHECKING:
    from cli_support import Done, World

EXAMPLE = Path(__file__).parent.parent / "docs" / "onnx_example.py"


@dataclass(frozen=True)
class Written:
    """A model that the command exported: its file, and how the command ended."""

    path: Path
    done: Done


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="session")
def exported(made: World, tmp_path_factory: pytest.TempPathFactory) -> Written:
    out = tmp_path_factory.mktemp("export") / "mgcc.onnx"
    return Written(out, here("export", made.run, out))


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_gives_the_scores_of_torch(kind: str) -> None:
    made, traced, session = session_of(kind)
    assert {"DFT", "STFT"} & {node.op_type for node in traced.network.graph.node} == set()
    for name, wave in waves(made.header.front_end.sample_rate).items():
        found = session.run(wave)
        scores, window_scores = by_torch(made, wave)
        np.testing.assert_allclose(found["window_scores"], window_scores, rtol=0, atol=1e-3, err_msg=name)
        np.testing.assert_allclose(found["scores"], scores, rtol=0, atol=1e-4, err_msg=name)


@pytest.mark.usefixtures("one_thread")
def test_starts_silence_tags_and_novelty_are_those_of_the_scorer() -> None:
    made, _, session = session_of("listener")
    header = made.header
    wave = waves(header.front_end.sample_rate)["mostly silent"]
    expected = Scorer.of(made).track(stored([wave], make(header.front_end)))
    found = session.run(wave)
    assert found["silent"].tolist() == list(expected.silent)
    assert 0 < sum(expected.silent) < len(expected.silent)
    np.testing.assert_allclose(
        found["starts"], [header.front_end.seconds(start) for start in expected.starts], atol=1e-4
    )
    np.testing.assert_allclose(found["tags"], expected.others.sigmoid()[:2], atol=0.02)  # bfloat16 on some processors
    assert bool(found["unknown"]) == header.is_unknown(expected.novelty)


@pytest.mark.parametrize("windows", [WindowSpec(32, placement="spread"), WindowSpec(32), WindowSpec(32, hop=13)])
def test_windows_lie_where_the_model_looks(windows: WindowSpec) -> None:
    made = means(windows)
    traced = Traced.of(made)
    session = Session(traced.joined(traced.network))
    for seconds in (0.01, 0.5, 0.74, 0.76, 1.1, 1.13, 1.87, 2.6):
        wave = noise(seconds)
        frames = made.header.front_end.frames(len(wave))
        starts = np.array(windows.starts(frames)) * 512 / 22_050
        np.testing.assert_allclose(session.run(wave)["starts"], starts, atol=1e-4)


def test_the_command_writes_a_file_a_card_and_what_it_checked(made: World, exported: Written) -> None:
    out, done = exported.path, exported.done
    assert done.code == 0, done.err
    largest = re.match(
        r"largest difference from torch: (\S+), of windows \S+ \(\d+ windows of 3 sounds; accepted", done.out
    )
    assert largest is not None, done.out
    assert float(largest[1]) < 1e-4
    assert done.next == ["predict", str(made.run), "SONG"]
    import onnxruntime

    facts = onnxruntime.InferenceSession(out).get_modelmeta().custom_metadata_map
    assert json.loads(facts["labels"]) == list(LABELS)
    assert (json.loads(facts["sample_rate"]), json.loads(facts["exclusive"])) == (22_050, True)
    card = (out.parent / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: ")
    for heading in (
        "Model Details",
        "Uses",
        "Bias, Risks, and Limitations",
        "Training Details",
        "Evaluation",
        "Citation",
    ):
        assert f"\n## {heading}\n" in card
    assert "pipeline_tag: audio-classification" in card


def test_int8_is_smaller_and_says_what_it_costs(made: World, exported: Written, tmp_path: Path) -> None:
    int8 = tmp_path / "int8.onnx"
    done = here("export", made.run, int8, "--check", made.songs()[0], "--int8", "--data", made.music, "--quiet")
    assert done.code == 0, done.err
    assert done.messages == []
    assert int8.stat().st_size < exported.path.stat().st_size / 2
    assert "1 window of 1 sound; accepted" in done.out
    assert re.search(r"accuracy \S+ % \(.* %\) in single precision, \S+ % \(.*\) in int8; \d+ of 24 tracks", done.out)
    assert done.out.splitlines()[-1] in (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")


WITHOUT_TORCH = """
import runpy, sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "genrescope"):
            raise ImportError(f"{name} is not there")
sys.meta_path.insert(0, Refused())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_the_example_runs_without_torch(made: World, exported: Written, tmp_path: Path) -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 60
    song = write(tmp_path / "song.wav", sound("drone", 90, seconds=7.0), 44_100)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(EXAMPLE), str(exported.path), str(song)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    import genrescope

    expected = genrescope.load(made.run, device="cpu").predict(song)
    label, score = done.stdout.split()[:2]
    assert label == expected.genre
    assert abs(float(score) - expected.confidence) < 0.01  # another resampler's quality


def test_an_export_that_differs_from_torch_is_refused(
    made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genrescope.export.front_end._weighting", lambda spec: np.ones(spec.n_fft))
    done = here("export", made.run, tmp_path / "m.onnx", "--check", made.songs()[0])
    assert_refused(done, "differ from torch's by up to ", "accepted are 0.0001 and 0.001. Nothing was written")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("m.safetensors",), "give a file that ends in .onnx"),
        (("m.onnx", "--data", "music"), "give it together with --int8"),
        (("m.onnx", "--check", "no.wav"), "no such file"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments: tuple[str, ...], words: str, made: World) -> None:
    assert_refused(here("export", made.run, *arguments), words)


def test_networks_that_are_not_exported_say_so() -> None:
    with pytest.raises(ModelFileError, match="a network on the waveform itself is not exported"):
        Traced.of(Model(model("vgg-16").header.model_copy(update={"front_end": WaveSpec()}), nn.Identity(), Path("x")))
    need = Requirement(name="facebook/hubert", revision="1", identity="x", parameters=1, prefix="body.")
    held = model("vgg-16")
    with pytest.raises(ModelFileError, match="stands on the published network facebook/hubert, which is not exported"):
        Traced.of(Model(held.header.model_copy(update={"requires": (need,)}), held.network, held.path))
    svm = parts.network(model("pooled-svm", windows=WindowSpec(128), options={"vectors": 3, "kernel": "linear"}))
    del svm.graph.node[:]
    with pytest.raises(ModelFileError, match="nothing to quantise; leave out --int8"):
        quantised(svm)
