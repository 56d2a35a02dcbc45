"""The engine `http`: any OpenAI-compatible server, or several."""
