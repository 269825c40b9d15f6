"""Reports of evaluations: as tables for a terminal, and as JSON."""
