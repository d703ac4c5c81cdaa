"""The mail server of the demo: takes letters, shows them, and lets invented people act on them."""
