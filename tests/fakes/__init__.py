"""Stand-ins for the world outside, used by the tests."""
