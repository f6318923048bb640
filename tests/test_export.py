"""An exported model gives what torch gives, runs without torch, and says what it is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from cli_support import assert_refused, here, sound, world
from conftest import noise, tone, write
from torch import nn

from genrescope import ModelFileError
from genrescope.export import parts
from genrescope.export.check import Session, by_torch
from genrescope.export.onnx_file import Traced, export
from genrescope.export.quantise import quantised
from genrescope.features.front_end import make, stored
from genrescope.features.spec import KaldiSpec, LogMelSpec, Spec, WaveSpec
from genrescope.features.windows import Span, WindowSpec
from genrescope.inference.scorer import Scorer
from genrescope.modelfile import Header, Model
from genrescope.modelfile.header import Requirement
from genrescope.models import registry
from genrescope.models.ensemble import SoftVoting
from genrescope.models.musicnn import FRONT_END

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli_support import World

EXAMPLE = Path(__file__).parent.parent / "docs" / "onnx_example.py"
LABELS = ("drone", "hiss", "pulse")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


def model(name: str, spec: Spec | None = None, windows: WindowSpec | None = None, **changes: Any) -> Model:
    """Return a model with weights at random, its logits spread so that scores are not all alike."""
    torch.manual_seed(0)
    options = changes.pop("options", {})
    network = registry.create(name, len(LABELS), **options).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.05 if parameter.ndim > 1 else parameter + 0.01)
    header = Header(
        model=name, options=options, labels=LABELS, front_end=spec or LogMelSpec(),
        windows=windows or WindowSpec(), made_with="0", **changes,
    )  # fmt: skip
    return Model(header, network, Path("model.safetensors"))


def waves(rate: int) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Return music of several windows, of less than one, mostly silence, digital silence, and a moment."""
    song = noise(9.0, rate=rate, level=0.05) + tone(440, rate=rate, seconds=9.0, level=0.2)
    song[: 4 * rate] *= np.linspace(0, 1, 4 * rate, dtype=np.float32)
    return {
        "song": song, "short": song[-rate:], "mostly silent": np.concatenate([song, np.zeros(12 * rate, np.float32)]),
        "silence": np.zeros(7 * rate, np.float32), "moment": song[-100:],
    }  # fmt: skip


def listener(**changes: Any) -> Model:
    options = {"taggers": {"a": 5, "b": 4}, "others": 2}
    windows = WindowSpec(187, padding="repeat", pooling="logits")
    return model("listener", FRONT_END, windows, options=options, tags={"mood": ("calm", "wild")}, **changes)


def ensemble() -> Model:
    one = model("mgcc-small")
    members = [model("mgcc-small").network, registry.create("mgcc-small", 3).eval()]
    return Model(one.header, SoftVoting(members, temperatures=[1.0, 2.0]).eval(), Path("cv"))


KINDS: dict[str, Callable[[], Model]] = {
    "mgcc": lambda: model("mgcc-small"),
    "vgg, spread, repeat": lambda: model(
        "vgg-16", windows=WindowSpec(100, padding="repeat", placement="spread"), temperature=1.7
    ),
    "vgg, overlapping, logits": lambda: model("vgg-16", windows=WindowSpec(96, hop=40, pooling="logits")),
    "vgg on Kaldi's filterbank": lambda: model("vgg-16", KaldiSpec(n_mels=128)),
    "svm": lambda: model("pooled-svm", windows=WindowSpec(215, padding="repeat"), options={"vectors": 5}),
    "scratch": lambda: model(
        "network-and-svm", windows=WindowSpec(256, padding="repeat"), options={"frames": 128, "vectors": 4}
    ),
    "cross-validation": ensemble,
    "listener": lambda: listener(unknown_above=0.5),
    "genres": lambda: listener(exclusive=False),
}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_gives_the_scores_of_torch(kind: str) -> None:
    made = KINDS[kind]()
    traced = Traced.of(made)
    whole = traced.joined(traced.network)
    assert {"DFT", "STFT"} & {node.op_type for node in traced.network.graph.node} == set()
    session = Session(whole)
    for name, wave in waves(made.header.front_end.sample_rate).items():
        found = session.run(wave)
        scores, window_scores = by_torch(made, wave)
        np.testing.assert_allclose(found["window_scores"], window_scores, rtol=0, atol=1e-3, err_msg=name)
        np.testing.assert_allclose(found["scores"], scores, rtol=0, atol=1e-4, err_msg=name)


@pytest.mark.usefixtures("one_thread")
def test_starts_silence_tags_and_novelty_are_those_of_the_scorer() -> None:
    made = listener(unknown_above=0.5)
    header = made.header
    traced = Traced.of(made)
    session = Session(traced.joined(traced.network))
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
    made = model("vgg-16", windows=windows)
    traced = Traced.of(made)
    session = Session(traced.joined(traced.network))
    for seconds in (0.01, 0.5, 0.74, 0.76, 1.1, 1.13, 1.87, 2.6):
        wave = noise(seconds)
        frames = made.header.front_end.frames(len(wave))
        starts = windows.place([Span(0, frames)]).starts.numpy() * 512 / 22_050
        np.testing.assert_allclose(session.run(wave)["starts"], starts, atol=1e-4)


def test_the_command_writes_a_file_a_card_and_what_it_checked(made: World, tmp_path: Path) -> None:
    out = tmp_path / "web" / "mgcc.onnx"
    out.parent.mkdir()
    done = here("export", made.run, out, "--check", made.songs()[0], "--quiet")
    assert done.code == 0, done.err
    largest = re.match(
        r"largest difference from torch: (\S+), of windows \S+ \(1 window of 1 sound; accepted", done.out
    )
    assert largest is not None, done.out
    assert float(largest[1]) < 1e-4
    assert done.messages == []
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


def test_synthesised_music_is_the_check_where_no_file_is_given(made: World, tmp_path: Path) -> None:
    done = here("export", made.run, tmp_path / "m.onnx")
    assert done.code == 0, done.err
    assert "windows of 3 sounds" in done.out
    assert done.next == ["predict", str(made.run), "SONG"]


def test_int8_is_smaller_and_says_what_it_costs(made: World, tmp_path: Path) -> None:
    single, int8 = tmp_path / "single.onnx", tmp_path / "int8.onnx"
    assert here("export", made.run, single, "--check", made.songs()[0], "--quiet").code == 0
    done = here("export", made.run, int8, "--check", made.songs()[0], "--int8", "--data", made.music, "--quiet")
    assert done.code == 0, done.err
    assert int8.stat().st_size < single.stat().st_size / 2
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


def test_the_example_runs_without_torch(made: World, tmp_path: Path) -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 60
    out = tmp_path / "m.onnx"
    export(made.run, out, check=made.songs()[:1])
    song = write(tmp_path / "song.wav", sound("drone", 90, seconds=7.0), 44_100)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(EXAMPLE), str(out), str(song)],
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
