"""The store: the log-mels of a data set on disk, computed once."""
