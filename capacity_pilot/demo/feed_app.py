"""The application: what one opening of the app asks of DynamoDB, in plain boto3 calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

from botocore.exceptions import ClientError

from capacity_pilot.demo.timeline import Visit

INDEX = "by-school"
POSTS_PER_PAGE = 10

CapacityDetail = Literal["INDEXES", "TOTAL", "NONE"]

_THROTTLED = "ProvisionedThroughputExceededException"
_LONGEST_COMPLAINT = 300


@dataclass(slots=True)
class Tally:
    """Calls made so far, and how they ended. ``max_lateness_s`` is of visits, not of calls."""

    visits: int = 0
    requests: int = 0
    throttled: int = 0
    failed: int = 0
    max_lateness_s: float = 0.0
    last_failure: str | None = None


class FeedApp:
    """Opens the feed of one table for visitors, from many threads at once.

    Every call is one attempt (the client must not retry), so that throttles are counted plainly.
    """

    def __init__(self, client: Any, table: str, *, detail: Callable[[], CapacityDetail]) -> None:
        self._client = client
        self._table = table
        self._detail = detail
        self._lock = Lock()
        self.tally = Tally()

    def open(self, visit: Visit, *, late_s: float) -> None:
        """The newest posts of one's school, one's profile, and a marker of what was seen.

        The three do not wait for each other's success, so that demand is the same whether or not
        some of it is throttled.
        """
        with self._lock:
            self.tally.visits += 1
            self.tally.max_lateness_s = max(self.tally.max_lateness_s, late_s)
        for call in (self._list_posts, self._read_profile, self._mark_seen):
            self._attempt(call, visit)

    def _attempt(self, call: Callable[[Visit], object], visit: Visit) -> None:
        throttled, failure = False, None
        try:
            call(visit)
        except ClientError as error:
            throttled = error.response.get("Error", {}).get("Code") == _THROTTLED
            failure = None if throttled else str(error)
        except Exception as error:  # noqa: BLE001 (counted and told, whatever a client may raise)
            failure = f"{type(error).__name__}: {error}"
        with self._lock:
            self.tally.requests += 1
            self.tally.throttled += throttled
            if failure is not None:
                self.tally.failed += 1
                self.tally.last_failure = failure[:_LONGEST_COMPLAINT]

    def _list_posts(self, visit: Visit) -> object:
        return self._client.query(
            TableName=self._table,
            IndexName=INDEX,
            KeyConditionExpression="school = :school",
            ExpressionAttributeValues={":school": {"S": visit.school}},
            ProjectionExpression="pk, title",
            ScanIndexForward=False,
            Limit=POSTS_PER_PAGE,
            ReturnConsumedCapacity=self._detail(),
        )

    def _read_profile(self, visit: Visit) -> object:
        return self._client.get_item(
            TableName=self._table,
            Key={"pk": {"S": f"profile#{visit.school}"}, "sk": {"S": "profile"}},
            ConsistentRead=True,
            ReturnConsumedCapacity=self._detail(),
        )

    def _mark_seen(self, visit: Visit) -> object:
        return self._client.put_item(
            TableName=self._table,
            Item={
                "pk": {"S": f"user#{visit.user}"},
                "sk": {"S": "seen"},
                "school": {"S": f"seen#{visit.school}"},
                "posted_at": {"N": f"{visit.at_s:.3f}"},
                "body": {"S": "x" * visit.seen_bytes},
            },
            ReturnConsumedCapacity=self._detail(),
        )
