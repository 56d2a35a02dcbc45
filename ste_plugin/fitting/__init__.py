"""Which recipe fits a model and its GPUs, and what it takes of them."""
