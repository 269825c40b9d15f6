"""What was seen in an agent: as text, as JSON, as pictures of its tree and as a page."""
