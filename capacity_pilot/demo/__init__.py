"""A push notification on this machine: with the pilot and without it, at the same moment.

Real processes: the physics server in place of DynamoDB, the daemon, and two feed services that
call boto3 under OpenTelemetry's botocore instrumentation with the same arrivals, one on a table
the policy covers and one on its twin.
"""
