"""Models for tree search: `protocol.Model` is the interface, `learned.LearnedModel` is MuZero's model, and
`rules.RulesModel` uses the game's true rules."""
