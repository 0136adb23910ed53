"""The bottom layer: errors, clock, ids, configuration, database base, journal, event bus."""
