"""Saved segments and who is in them: kept true, made by hand or from a file, frozen."""
