"""Learning from batches: loss, optimizers, one update, the learner."""
