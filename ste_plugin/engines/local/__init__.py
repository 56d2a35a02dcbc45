"""The engine `local`: transformers, in this process."""
