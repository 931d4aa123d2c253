"""Everything that touches the outside: OTLP in, AWS out, files, the clock."""
