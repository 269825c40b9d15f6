"""Looking into an agent: what its network and its search think of a position, and what its model imagines."""
