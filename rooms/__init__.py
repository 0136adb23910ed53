"""The live lecture: a pure state, the decisions on it, and the service that journals them."""
