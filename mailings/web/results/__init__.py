"""What a mailing brought, on pages."""
