"""The edge to the browsers: Socket.IO messages to rooms and back; room events to media plans."""
