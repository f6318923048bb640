"""The tags of music files: read, written, and restored."""
