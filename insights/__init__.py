"""Reading the business: the client's card."""
