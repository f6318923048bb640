"""Published networks as listeners: their features, and a probe that is fitted to these."""
