"""A segment being put together: the draft, its form, its tree as shown, its counters."""
