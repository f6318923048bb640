"""Putting a model to work: on one song, and on many."""
