"""An iteration's data set: judgments sampled and collected, filtered, and written as rows."""
