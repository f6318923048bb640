"""Pages to look at: one style, one way to draw, nothing to load from elsewhere."""
