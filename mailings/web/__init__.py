"""The pages of mailings: what marketers and administrators see, and the doors recipients come through."""
