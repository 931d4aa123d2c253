"""The feed's two tables, alike in everything but that the policy covers only one of them."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
from capacity_pilot.demo.feed_app import INDEX, POSTS_PER_PAGE
from capacity_pilot.demo.timeline import SCHOOLS

FEED: Final = "feed"
TWIN: Final = "feed-without-pilot"

_POST_BYTES = 3_900
_PROFILE_BYTES = 7_800
_WRITES_AT_ONCE = 4

# At the base rate of 10 visits/s, a good half of each is used.
_TABLE_UNITS = {"ReadCapacityUnits": 43, "WriteCapacityUnits": 72}
_INDEX_UNITS = {"ReadCapacityUnits": 108, "WriteCapacityUnits": 72}

POLICY: Final = f"""\
version: 1
policies:
  - name: school feed
    match: {{tables: [{FEED}]}}
    read: {{min: 20, max: 2000}}
    write: {{min: 20, max: 2000}}
"""


def list_targets(table: str) -> tuple[ScalableTarget, ...]:
    """The scalable targets of a feed table, the busiest first."""
    return tuple(
        ScalableTarget(Resource(table, index), dimension)
        for index in (INDEX, "")
        for dimension in Dimension
    )


async def open_tables(client: Any) -> None:
    """Creates both tables and puts in the posts that everyone reads.

    Writing them takes as long as the provisioned capacity allows: the client's retries wait.
    """
    for table in (FEED, TWIN):
        await client.create_table(**_declare(table))
    await asyncio.gather(*(_stock(client, table) for table in (FEED, TWIN)))


def _declare(table: str) -> dict[str, Any]:
    return {
        "TableName": table,
        "BillingMode": "PROVISIONED",
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in (("pk", "S"), ("sk", "S"), ("school", "S"), ("posted_at", "N"))
        ],
        "KeySchema": _key("pk", "sk"),
        "ProvisionedThroughput": _TABLE_UNITS,
        "GlobalSecondaryIndexes": [
            {
                "IndexName": INDEX,
                "KeySchema": _key("school", "posted_at"),
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": _INDEX_UNITS,
            }
        ],
    }


def _key(hash_name: str, range_name: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": hash_name, "KeyType": "HASH"},
        {"AttributeName": range_name, "KeyType": "RANGE"},
    ]


async def _stock(client: Any, table: str) -> None:
    writers = asyncio.Semaphore(_WRITES_AT_ONCE)

    async def put(item: dict[str, Any]) -> None:
        async with writers:
            await client.put_item(TableName=table, Item=item)

    posts = (_post(school, number) for school in SCHOOLS for number in range(POSTS_PER_PAGE))
    await asyncio.gather(*map(put, posts), *(put(_profile(school)) for school in SCHOOLS))


def _post(school: str, number: int) -> dict[str, Any]:
    return {
        "pk": {"S": f"post#{school}#{number}"},
        "sk": {"S": "post"},
        "school": {"S": school},
        "posted_at": {"N": str(number)},
        "title": {"S": f"News {number} of {school}"},
        "body": {"S": "x" * _POST_BYTES},
    }


def _profile(school: str) -> dict[str, Any]:
    return {
        "pk": {"S": f"profile#{school}"},
        "sk": {"S": "profile"},
        "body": {"S": "x" * _PROFILE_BYTES},
    }
