"""What a run keeps on disk, and in which order it gets there."""
