"""What DynamoDB does, for replays, tests and the demo."""
