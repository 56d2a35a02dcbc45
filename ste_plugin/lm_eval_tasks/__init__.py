"""What the lm-eval tasks in `tasks/` are made of: the pairs they read and the metrics they report."""
