"""Pure decisions of the integration: what a portal's values mean in our terms."""
