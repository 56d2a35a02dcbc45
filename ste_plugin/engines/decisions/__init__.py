"""A model behind `POST /v1/decisions`: probabilities of choices, and no text."""
