# The dead man's switch: when no pilot has told for five minutes that it has the lease, decides and
# reaches AWS, a task of the same image gives back what was changed of Application Auto Scaling.
# It needs the lease to do so, and ends without a change where a pilot still has it.

resource "aws_cloudwatch_metric_alarm" "heartbeat" {
  count = var.mode == "active" ? 1 : 0

  alarm_name          = "${var.name}-heartbeat"
  alarm_description   = "No pilot looks after capacity: what it changed of Application Auto Scaling is given back."
  namespace           = local.heartbeat_namespace
  metric_name         = "Heartbeat"
  dimensions          = { Pilot = var.name }
  statistic           = "SampleCount"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 5
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_event_rule" "heartbeat" {
  count = var.mode == "active" ? 1 : 0

  name        = "${var.name}-hand-back"
  description = "Starts capacity-pilot hand-back when the heartbeat is missing."
  tags        = var.tags

  event_pattern = jsonencode({
    source        = ["aws.cloudwatch"]
    "detail-type" = ["CloudWatch Alarm State Change"]
    resources     = [aws_cloudwatch_metric_alarm.heartbeat[0].arn]
    detail        = { state = { value = ["ALARM"] } }
  })
}

resource "aws_cloudwatch_event_target" "hand_back" {
  count = var.mode == "active" ? 1 : 0

  rule     = aws_cloudwatch_event_rule.heartbeat[0].name
  arn      = var.cluster_arn
  role_arn = aws_iam_role.hand_back[0].arn

  input = jsonencode({
    containerOverrides = [{ name = var.name, command = ["hand-back"] }]
  })

  ecs_target {
    task_definition_arn = aws_ecs_task_definition.this.arn
    launch_type         = "FARGATE"
    task_count          = 1

    network_configuration {
      subnets          = var.subnet_ids
      security_groups  = [aws_security_group.this.id]
      assign_public_ip = var.assign_public_ip
    }
  }

  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 20
  }
}

data "aws_iam_policy_document" "assume_events" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

data "aws_iam_policy_document" "hand_back" {
  statement {
    sid       = "Run"
    actions   = ["ecs:RunTask"]
    resources = ["${aws_ecs_task_definition.this.arn_without_revision}:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.cluster_arn]
    }
  }

  statement {
    sid       = "Roles"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.task.arn, aws_iam_role.execution.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "hand_back" {
  count = var.mode == "active" ? 1 : 0

  name               = "${var.name}-hand-back"
  assume_role_policy = data.aws_iam_policy_document.assume_events.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "hand_back" {
  count = var.mode == "active" ? 1 : 0

  name   = "run"
  role   = aws_iam_role.hand_back[0].id
  policy = data.aws_iam_policy_document.hand_back.json
}
