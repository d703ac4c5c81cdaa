"""An employee's own clients: whom it is time to speak to."""
