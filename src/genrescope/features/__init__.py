"""Front ends: from a waveform to the frames of features that a network or a store takes."""
