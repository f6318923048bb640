"""The published graphs of musicnn in TensorFlow: for `benchmarks.musicnn`, and for the reference of the tests.

Run by a Python that has TensorFlow 2 and librosa:

    python benchmarks/musicnn_tensorflow.py WHEEL GENRES > tests/data/musicnn_reference.csv

WHEEL is `musicnn-0.1.0-py3-none-any.whl`, GENRES the folder of GTZAN's genre folders. The frames are those of the
package but for one thing: the power is not cast to float16, which overflows in loud music.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

CLIPS = ("blues/blues.00000.wav", "classical/classical.00000.wav")
PATCHES = (0, 4, 9)
FRAMES = 187
NETWORKS = {"musicnn-msd": "MSD_musicnn", "musicnn-mtt": "MTT_musicnn"}


def frames_of(wave: Any) -> Any:
    """Return float32 (frames, 96) of a waveform at 16,000 Hz."""
    import librosa
    import numpy as np

    power = librosa.feature.melspectrogram(y=wave, sr=16_000, hop_length=256, n_fft=512, n_mels=96).T
    return np.log10(10_000 * power + 1)


def session_of(wheel: Path, network: str) -> tuple[Any, Any, dict[Any, Any], Any]:
    """Return a session with the published graph and its weights: session, tags, constant inputs, input of frames."""
    import tensorflow as tf
    from tensorflow.core.protobuf import meta_graph_pb2

    v1 = tf.compat.v1
    v1.disable_eager_execution()
    v1.reset_default_graph()
    session = v1.Session(config=v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1))
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        for ending in ("index", "data-00000-of-00001"):  # a name that begins with a dot is none for TensorFlow
            Path(folder, f"model.{ending}").write_bytes(archive.read(f"musicnn/{network}/.{ending}"))
        meta = meta_graph_pb2.MetaGraphDef()
        meta.ParseFromString(archive.read(f"musicnn/{network}/.meta"))
        for node in meta.graph_def.node:
            node.attr.pop("_output_shapes", None)  # TensorFlow 2 finds others, and would refuse
        v1.import_graph_def(meta.graph_def, name="")
        operations = v1.get_default_graph().get_operations()
        weights = tf.train.load_checkpoint(f"{folder}/model")
        for name in weights.get_variable_to_shape_map():
            if "Adam" not in name and "power" not in name:
                (variable,) = [each for each in operations if each.name.endswith(name) and "Variable" in each.type]
                session.run(v1.assign(variable.outputs[0], weights.get_tensor(name)))
    inputs = [each.outputs[0] for each in operations if each.type == "Placeholder"]
    (tags,) = [each.outputs[0] for each in operations if each.type == "Sigmoid"]
    frames = next(each for each in inputs if each.dtype == tf.float32 and each.shape.rank == 3)
    return session, tags, {each: False for each in inputs if each.dtype == tf.bool}, frames


def main(wheel: str, genres: str) -> None:
    """Write the table to stdout."""
    import librosa

    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(["model", "clip", "patch", *(f"tag {number}" for number in range(50))])
    for name, network in NETWORKS.items():
        session, tags, constant, frames = session_of(Path(wheel), network)
        for clip in CLIPS:
            whole = frames_of(librosa.load(Path(genres) / clip, sr=16_000)[0])
            for patch in PATCHES:
                image = whole[None, FRAMES * patch : FRAMES * (patch + 1)]
                scores = session.run(tags, feed_dict=constant | {frames: image})[0]
                rows.writerow([name, clip, patch, *(f"{score:.6f}" for score in scores)])


def serve(wheel: str, file: str) -> None:
    """Score the waveform of a .npy file, patch by patch, each time that stdin has a line."""
    import numpy as np

    session, tags, constant, frames = session_of(Path(wheel), NETWORKS["musicnn-msd"])
    wave = np.load(file)
    for _ in sys.stdin:
        whole = frames_of(wave)
        for start in range(0, len(whole) - FRAMES + 1, FRAMES):
            session.run(tags, feed_dict=constant | {frames: whole[None, start : start + FRAMES]})
        print("done", flush=True)


if __name__ == "__main__":
    os.environ |= {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
    }  # a processor only, as the figures were made
    serve(*sys.argv[2:]) if sys.argv[1] == "--serve" else main(*sys.argv[1:])
