"""The demo portal's data: a deterministic generator of believable CRM rows, and their ground truth."""
