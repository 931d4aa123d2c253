"""The journal behind the core's port: a file for one pilot, a DynamoDB table for several."""
