"""AWS clients behind the core's ports."""
