"""Sound that does not end, from its source to what is kept of it: microphone, stream, pipe, or a file as if live."""
