"""What tests of several packages share."""

from __future__ import annotations

import pytest
from aiobotocore.session import AioSession, get_session
from hypothesis import settings

# How long an example takes says nothing of whether it is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def aws_session() -> AioSession:
    """One session for all, since each parses DynamoDB's service model anew. Any keys do."""
    session = get_session()
    session.set_credentials("test", "test")
    return session
