"""Segments for programs: JSON over HTTPS, with a token of the portal's own (`docs/api.md`)."""
