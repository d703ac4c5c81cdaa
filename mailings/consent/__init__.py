"""Who may be written to: the ledger of consents, suppressed addresses, unsubscribing, erasing."""
