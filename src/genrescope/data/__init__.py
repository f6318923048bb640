"""From audio to arrays: what the data are, their log-mels on disk, and how they are split."""
