"""Side-by-side measurements: ours against the peer, on the same machine and input, in one run."""
