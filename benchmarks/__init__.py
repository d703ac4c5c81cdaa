"""Speed measurements: `make bench`. Every figure is a ratio to a peer or a limit in the same run."""
