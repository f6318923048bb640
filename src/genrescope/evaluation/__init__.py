"""Evaluation: accuracy by track, soft voting over windows, and an interval for every figure."""
