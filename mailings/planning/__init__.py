"""An audience → one delivery per client, each with the reason why it is not sent."""
