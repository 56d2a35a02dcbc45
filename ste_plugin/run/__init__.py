"""The loop: opening a run, its stages, resuming and redoing them."""
