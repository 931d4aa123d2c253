"""Known load: what is declared of it, when it comes, what it came to before."""
