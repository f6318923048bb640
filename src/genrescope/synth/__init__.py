"""Synthesised music in ten invented styles, for the demonstration and the tests."""

from genrescope.synth.dataset import Collection, write_dataset
from genrescope.synth.songs import MAX_ARTISTS, Score, artist_name, compose, score
from genrescope.synth.styles import SCALES, STYLES

__all__ = ["MAX_ARTISTS", "SCALES", "STYLES", "Collection", "Score", "artist_name", "compose", "score", "write_dataset"]
