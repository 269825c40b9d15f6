"""Model validation: how far a learned model may be trusted, measured on games it has not learned from."""
