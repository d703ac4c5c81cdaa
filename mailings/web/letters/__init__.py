"""The letter editor and the offers letters stand on."""
