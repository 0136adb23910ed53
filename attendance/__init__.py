"""What the class did: presence, roll call, ballots, register; projections of room events."""
