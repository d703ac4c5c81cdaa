"""Doors without a session: links and pictures of letters, the way out, returned letters."""
