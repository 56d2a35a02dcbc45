"""The engines `vllm` (in this process) and `serve` (a server of the run's own)."""
