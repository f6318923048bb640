"""Networks: one family a file, each variant a short named function that registers itself."""
