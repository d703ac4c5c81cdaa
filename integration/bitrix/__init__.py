"""The Bitrix24 protocol: calls, batches, lists, limits, errors, payloads. Knows no entity of ours."""
