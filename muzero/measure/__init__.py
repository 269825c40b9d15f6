"""What `muzero bench` measures: the tree, self-play, learning and games, each in a file of its own."""
