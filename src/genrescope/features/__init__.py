"""Front ends: from a wave to frames, and windows of frames."""
