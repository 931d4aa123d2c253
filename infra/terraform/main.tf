locals {
  grpc_port   = 4317
  http_port   = 4318
  health_port = 8080

  # Each pilot is a service with a name of its own, since every span has to reach each of them.
  pilots = [for n in range(var.pilots) : n == 0 ? var.name : "${var.name}-${n + 1}"]

  heartbeat_namespace = "CapacityPilot"

  # One of the two is given, see the precondition of the task.
  policy_environment = {
    for key, value in {
      CAPACITY_PILOT_POLICY      = var.policy_source
      CAPACITY_PILOT_POLICY_TEXT = var.policy
    } : key => value if value != null
  }

  policy_bucket     = try(regex("^s3://([^/]+)", var.policy_source)[0], null)
  policy_key        = try(regex("^s3://[^/]+/(.*[^/])", var.policy_source)[0], "")
  policy_objects    = can(regex("^$|[.]ya?ml$", local.policy_key)) ? local.policy_key : "${local.policy_key}/"
  policy_parameters = try(regex("^ssm:(/.+)$", var.policy_source)[0], null)

  environment = merge(local.policy_environment, {
    CAPACITY_PILOT_MODE        = var.mode
    CAPACITY_PILOT_REGION      = var.region
    CAPACITY_PILOT_STATE_TABLE = aws_dynamodb_table.state.name
    CAPACITY_PILOT_GRPC_PORT   = tostring(local.grpc_port)
    CAPACITY_PILOT_HTTP_PORT   = tostring(local.http_port)
    CAPACITY_PILOT_HEALTH_PORT = tostring(local.health_port)
    CAPACITY_PILOT_LOG_LEVEL   = var.log_level
    CAPACITY_PILOT_HEARTBEAT   = var.name

    CAPACITY_PILOT_CLOUDWATCH_USD_PER_MONTH = tostring(var.cloudwatch_usd_per_month)
  })
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn
  tags                     = var.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  lifecycle {
    precondition {
      condition     = (var.policy == null) != (var.policy_source == null)
      error_message = "Give policy or policy_source, one of them."
    }
  }

  # Where compiled code is kept; begins with what the image has in it.
  volume {
    name = "compiled"
  }

  container_definitions = jsonencode([
    {
      name                   = var.name
      image                  = var.image
      essential              = true
      user                   = "10001:10001"
      readonlyRootFilesystem = true
      stopTimeout            = 30

      linuxParameters = {
        initProcessEnabled = true
        capabilities       = { drop = ["ALL"] }
      }

      mountPoints = [
        { sourceVolume = "compiled", containerPath = "/var/cache/capacity-pilot", readOnly = false }
      ]

      portMappings = [
        for port in [local.grpc_port, local.http_port] : {
          containerPort = port
          hostPort      = port
          protocol      = "tcp"
        }
      ]

      environment = [
        for key in sort(keys(local.environment)) : { name = key, value = local.environment[key] }
      ]

      healthCheck = {
        command = [
          "CMD", "python", "-c",
          "import urllib.request as r; r.urlopen('http://127.0.0.1:${local.health_port}/healthz', timeout=2).close()",
        ]
        interval    = 10
        timeout     = 3
        retries     = 3
        startPeriod = 20
      }

      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.this.name
          awslogs-region        = var.region
          awslogs-stream-prefix = var.name
        }
      }
    }
  ])
}

resource "aws_ecs_service" "this" {
  for_each = toset(local.pilots)

  name            = each.key
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.this.arn
  launch_type     = "FARGATE"
  propagate_tags  = "SERVICE"
  tags            = var.tags

  # The new one stands by until the old one has stopped and left it the lease.
  desired_count                      = 1
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = var.assign_public_ip
  }

  dynamic "service_registries" {
    for_each = var.service_discovery_namespace == null ? [] : [each.key]

    content {
      registry_arn = aws_service_discovery_service.this[service_registries.value].arn
    }
  }
}
