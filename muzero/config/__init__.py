"""Settings of a run: `Config` and its sections, with their bounds and JSON form. No torch here."""

from muzero.config.config import (
    AUTO,
    BY_GAME,
    FORMAT,
    RETIRED,
    Config,
    Retired,
    by_game,
    changes,
    check_continues,
    check_resolved,
    from_json,
    replace,
    to_json,
    unresolved,
)
from muzero.config.settings import (
    AloneConfig,
    LearnerConfig,
    ModelConfig,
    ReplayConfig,
    ScalarConfig,
    SearchConfig,
    TrainConfig,
)
from muzero.errors import ConfigError
from selfplay.settings import Schedule, SelfPlayConfig, at

__all__ = [
    "AUTO",
    "BY_GAME",
    "FORMAT",
    "RETIRED",
    "AloneConfig",
    "Config",
    "ConfigError",
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
    "check_resolved",
    "from_json",
    "replace",
    "to_json",
    "unresolved",
]
