"""People look at a sample of pairs and judgments; what comes of it."""
