"""What is said: offers, letters, and the message made of them for one person."""
