"""Queue entries, by what they move: thin, repeatable, told their portal by number."""
