"""What is sent to an audience, how, and with what result."""
