"""Scores of clients (RFM) and their stages of life."""
