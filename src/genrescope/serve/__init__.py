"""A service over HTTP, with its page: a model answers for songs that are sent to it."""
