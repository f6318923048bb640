"""Classify a song with a model that `genrescope export` wrote: no torch, and nothing of genrescope.

pip install numpy onnxruntime soundfile soxr
python onnx_example.py genres.onnx song.wav
"""

import json
import sys

import numpy as np
import onnxruntime
import soundfile
import soxr

model_path, song_path = sys.argv[1:]
session = onnxruntime.InferenceSession(model_path, providers=["CPUExecutionProvider"])
facts = session.get_modelmeta().custom_metadata_map
labels, rate = json.loads(facts["labels"]), json.loads(facts["sample_rate"])
thresholds = json.loads(facts["thresholds"])

samples, own_rate = soundfile.read(song_path, dtype="float32", always_2d=True)
waveform = samples.mean(axis=1)
if own_rate != rate:
    waveform = soxr.resample(waveform, own_rate, rate, quality="HQ")

names = [output.name for output in session.get_outputs()]
found = dict(zip(names, session.run(None, {"waveform": waveform.astype(np.float32)}), strict=True))

for place in np.argsort(-found["scores"])[:3]:
    label, score = labels[place], float(found["scores"][place])
    below = " (below its threshold)" if score < thresholds.get(label, 0.0) else ""
    print(f"{label} {score:.3f}{below}")
if found.get("unknown", False):
    print("it is probably none of these")
for start, silent, scores in zip(found["starts"], found["silent"], found["window_scores"], strict=True):
    best = int(scores.argmax())
    print(f"{start:7.2f} s  {'silence' if silent else f'{labels[best]} {scores[best]:.3f}'}", file=sys.stderr)
