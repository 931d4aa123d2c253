"""Capacity Pilot: sets DynamoDB provisioned capacity from live traces."""

__version__ = "0.1.0"
