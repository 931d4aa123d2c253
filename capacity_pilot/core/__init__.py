"""The pure core: arrays and values in, decisions out. No clock, no I/O, no logging, no asyncio."""
