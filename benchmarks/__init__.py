"""What ste costs: measurements, run by `make bench`. Every ratio comes from runs side by side."""
