"""What would happen? Tools that stand in for the world outside, for tests and for planning."""
