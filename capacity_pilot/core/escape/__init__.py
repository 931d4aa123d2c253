"""Leaving provisioned capacity for on-demand where it does not reach what is needed, and back."""
