"""Can the better answer be told without reading the question? Text-blind classifiers."""
