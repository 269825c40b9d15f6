"""Learning from minibatches: loss, optimizers, update, learner."""
