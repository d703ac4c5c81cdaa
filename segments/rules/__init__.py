"""Pure decisions about segments: no SQL, no clock, no framework."""
