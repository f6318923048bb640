"""A library in one SQLite file: songs, predictions, embeddings, corrections, and what is made of them."""
