"""What a judge learnt, examined: each figure held against a threshold, in words."""
