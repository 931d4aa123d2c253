"""OTLP trace requests in, demand samples out."""
