"""What a client is worth: what counts as a sale, the figures, and why."""
