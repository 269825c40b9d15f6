"""Games to watch and to play: sessions of a person and an agent, boards, thoughts, films."""
