"""How fast and how cleanly a slot passes from one publisher to another: `make bench-switch`."""
