"""A Bitrix24 portal emulator with invented data, for `make demo`, tests and benchmarks.

It stands for somebody else's system: it is written from Bitrix24's documentation, imports nothing
from the application and is imported by nothing in it.
"""
