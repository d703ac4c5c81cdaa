"""What pages say, by subject: states, reasons and findings in words."""
