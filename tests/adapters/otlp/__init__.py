"""OTLP ingest: what spans of every dialect come to, and how the servers behave."""
