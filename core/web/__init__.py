"""The web shell every page stands in: sessions, access rules, security headers, words, layout."""
