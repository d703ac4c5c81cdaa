"""Mailings from the draft to the switch: the list, a draft, steering of one that runs."""
