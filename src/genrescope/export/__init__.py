"""Models as one file for other programs: an ONNX graph from waveform to scores, checked, with a model card."""
