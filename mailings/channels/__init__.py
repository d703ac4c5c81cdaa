"""How a message leaves: one file per channel behind one protocol."""
