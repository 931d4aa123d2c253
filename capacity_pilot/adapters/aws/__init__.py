"""AWS clients behind the core's ports."""

from capacity_pilot.adapters.aws import auto_scaling, heartbeat
from capacity_pilot.adapters.aws.auto_scaling import AutoScalingClient, open_auto_scaling
from capacity_pilot.adapters.aws.cloudwatch import OPERATION, CloudWatchReader, open_cloudwatch
from capacity_pilot.adapters.aws.dynamodb import DynamoDbGateway, open_gateway
from capacity_pilot.adapters.aws.request import SENDABLE_PARAMETERS
from capacity_pilot.adapters.aws.shadow import ShadowGateway

OPERATIONS = frozenset(SENDABLE_PARAMETERS)
"""Every operation of DynamoDB the process calls."""

PERMISSIONS = frozenset(
    (
        *(f"dynamodb:{name}" for name in OPERATIONS),
        *(f"application-autoscaling:{name}" for name in auto_scaling.SENDABLE_PARAMETERS),
        f"cloudwatch:{OPERATION}",
        f"cloudwatch:{heartbeat.OPERATION}",
    )
)
"""What the process's IAM role needs, and no more."""

__all__ = [
    "OPERATIONS",
    "PERMISSIONS",
    "AutoScalingClient",
    "CloudWatchReader",
    "DynamoDbGateway",
    "ShadowGateway",
    "open_auto_scaling",
    "open_cloudwatch",
    "open_gateway",
]
