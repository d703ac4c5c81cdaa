"""What is known of every card by heart: found from the mirror as a whole, and kept for changed cards."""
