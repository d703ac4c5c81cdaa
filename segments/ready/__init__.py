"""Ready segments: presets with their numbers."""
