"""Instructions: read from sources, scrubbed of personal data, deduplicated, labelled and chosen."""
