"""Running axolotl and lm-eval as subprocesses, each in the environment where it is installed."""
