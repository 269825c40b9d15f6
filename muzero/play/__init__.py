"""A game between a person and an agent."""
