"""The pages on which lectures and series are planned, changed and called off."""
