"""The page that people look at: a run's figures, and whether they can be trusted."""
