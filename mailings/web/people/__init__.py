"""Pages of people that were ticked in a list: of a segment, or of a mailing."""
