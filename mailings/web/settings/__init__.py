"""The administrator's side: permission, servers, addresses nobody writes to."""
