"""The media node: its own process, asyncio, forwards packets without decoding them."""
