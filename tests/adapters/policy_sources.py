"""What tests of policy sources share."""

from __future__ import annotations


def policy(name: str, *, most: int = 100) -> str:
    """A file with one policy, over the tables of its name."""
    return (
        "version: 1\n"
        "policies:\n"
        f"  - name: {name}\n"
        f'    match: {{tables: ["{name}-*"]}}\n'
        f"    write: {{min: 1, max: {most}}}\n"
    )
