"""What a mailing brought: its figures, leads, sales, and its trace in the portal."""
