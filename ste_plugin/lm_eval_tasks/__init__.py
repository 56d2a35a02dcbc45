"""What the lm-eval tasks in `tasks/` are made of: the pairs they read, the metrics they report."""
