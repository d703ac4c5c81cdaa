"""The sender: deliveries → the wire, at most once, at the pace allowed."""
