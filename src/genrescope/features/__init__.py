"""Front ends: from a waveform to frames of features, and windows of frames."""
