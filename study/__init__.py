"""The study: which recipe makes a judge better on people's labels, and at what cost."""
