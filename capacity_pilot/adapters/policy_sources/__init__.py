"""Where policies come from. Each source gives whole states of what it holds, or nothing."""
