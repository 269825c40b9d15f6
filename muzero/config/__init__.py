"""Settings of a run: `Config` and its sections, their bounds, JSON form and differences. Doesn't import torch."""

from muzero.config.changes import changes, check_continues
from muzero.config.config import Config, check_outcomes, check_planner
from muzero.config.convert import FORMAT, RETIRED, Retired, from_json, replace, to_json
from muzero.config.ensemble_settings import EnsembleConfig
from muzero.config.left_open import AUTO, BY_GAME, by_game, check_resolved, unresolved
from muzero.config.search_settings import SearchConfig
from muzero.config.settings import (
    AloneConfig,
    HeldOutConfig,
    LearnerConfig,
    ModelConfig,
    ReplayConfig,
    ScalarConfig,
    TrainConfig,
)
from muzero.errors import ConfigError
from selfplay.schedule import Schedule, at
from selfplay.settings import SelfPlayConfig

__all__ = [
    "AUTO",
    "BY_GAME",
    "FORMAT",
    "RETIRED",
    "AloneConfig",
    "Config",
    "ConfigError",
    "EnsembleConfig",
    "HeldOutConfig",
    "LearnerConfig",
    "ModelConfig",
    "ReplayConfig",
    "Retired",
    "ScalarConfig",
    "Schedule",
    "SearchConfig",
    "SelfPlayConfig",
    "TrainConfig",
    "at",
    "by_game",
    "changes",
    "check_continues",
    "check_outcomes",
    "check_planner",
    "check_resolved",
    "from_json",
    "replace",
    "to_json",
    "unresolved",
]
