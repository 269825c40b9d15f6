"""Playing and watching games: sessions between a person and an agent, boards, analysis, films."""
