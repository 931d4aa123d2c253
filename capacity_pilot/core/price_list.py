"""What AWS asks for a unit of provisioned capacity and an hour, by Region, in US dollars.

Public list prices of the Standard table class without reservations, as AWS's own advisor on
reserved capacity had them (awslabs/amazon-dynamodb-tools, version 1.1.0); that of us-east-1 was
compared with the price list in November 2026, and is also known for Standard-Infrequent Access.
"""

from __future__ import annotations

from typing import Final

STANDARD: Final = {
    # Region: (read, write)
    "af-south-1": (0.00017493, 0.00087465),
    "ap-east-1": (0.0001628, 0.000814),
    "ap-northeast-1": (0.0001484, 0.000742),
    "ap-northeast-2": (0.00014098, 0.0007049),
    "ap-northeast-3": (0.0001484, 0.000742),
    "ap-south-1": (0.000148, 0.00074),
    "ap-southeast-1": (0.000148, 0.00074),
    "ap-southeast-2": (0.000148, 0.00074),
    "ca-central-1": (0.000143, 0.000715),
    "eu-central-1": (0.0001586, 0.000793),
    "eu-north-1": (0.00014, 0.000698),
    "eu-west-1": (0.000147, 0.000735),
    "eu-west-2": (0.0001544, 0.000772),
    "eu-west-3": (0.0001544, 0.000772),
    "me-south-1": (0.0001617, 0.0008085),
    "sa-east-1": (0.000195, 0.000975),
    "us-east-1": (0.00013, 0.00065),
    "us-east-2": (0.00013, 0.00065),
    "us-gov-east-1": (0.000156, 0.00078),
    "us-gov-west-1": (0.000156, 0.00078),
    "us-west-1": (0.000145, 0.000725),
    "us-west-2": (0.00013, 0.00065),
}

INFREQUENT_ACCESS: Final = {"us-east-1": (0.00016, 0.00081)}
