"""What ste costs: measurements, run by `make bench`. Every ratio comes of runs side by side."""
