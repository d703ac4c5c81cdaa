"""Reading a portal into the mirror: one engine, one EntitySpec per entity."""
