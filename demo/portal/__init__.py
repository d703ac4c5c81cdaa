"""The emulated portal: one process that is a Bitrix24 portal and its OAuth server at once."""
