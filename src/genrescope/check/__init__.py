"""Check a data set: what is wrong with its files, what is there twice, what a network could learn instead of music."""
