"""What is measured, and what the figures say."""
