"""Who the clients are and what they are worth: sales, metrics, write-back to the portal."""
