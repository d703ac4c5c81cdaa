"""The Bitrix24 portal: installed, called over REST, mirrored into our tables."""
