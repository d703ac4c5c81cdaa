"""Pure decisions about mailings: states, plans, replies of servers, delays. No clock, no database, no framework."""
