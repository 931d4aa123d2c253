"""Where policies come from. Each source gives whole states of what it holds, or nothing."""

SOURCE_PERMISSIONS = frozenset({"s3:GetObject", "s3:ListBucket", "ssm:GetParametersByPath"})
"""What a role needs to read them in S3 or the Parameter Store."""
