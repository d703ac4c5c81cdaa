"""Pure calculations of the insights pages."""
