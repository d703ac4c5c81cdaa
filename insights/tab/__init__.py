"""The tab on the cards of clients, leads and deals: figures, where the client stands, what to do about it."""
