"""Scores that can be trusted: tracks are counted, windows only vote, and every figure has an interval."""
