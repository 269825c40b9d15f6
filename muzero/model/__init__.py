"""Models a search can run over: `protocol.Model` is the contract, `learned.LearnedModel` is MuZero's, and
`rules.RulesModel` plays the game's own rules."""
