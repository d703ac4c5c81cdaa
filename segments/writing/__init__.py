"""Figures on their way back to the portal's cards."""
