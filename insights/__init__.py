"""Reading the business: the tab of a client, whom to speak to, where the portal opens us."""
