"""What every package stands on: settings, database, queue, crypto, HTTP, logs, the web shell. Knows nothing of Bitrix24."""
