"""What a search can run over. `base.Model` is the protocol; `learned.LearnedModel` is MuZero's, `rules.RulesModel`
knows the game's own rules."""
