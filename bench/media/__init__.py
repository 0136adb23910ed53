"""Speed of the media node, beside a floor in C, aiortc and Janus: `make bench-forward`, `-growth`, `-join`."""
