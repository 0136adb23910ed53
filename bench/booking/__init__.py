"""What the booking engine does under load, held against a brute-force oracle."""
