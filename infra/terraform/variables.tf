variable "name" {
  description = "Name of the service and prefix of everything created for it."
  type        = string
  default     = "capacity-pilot"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,39}$", var.name))
    error_message = "name must be 2 to 40 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "region" {
  description = "Region of the tables and of the log group, e.g. eu-west-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS Region code such as eu-west-1."
  }
}

variable "image" {
  description = "Container image, pinned by tag or digest."
  type        = string

  validation {
    condition     = can(regex("(@sha256:[0-9a-f]{64}|:[A-Za-z0-9_][A-Za-z0-9._-]*)$", var.image)) && !endswith(var.image, ":latest")
    error_message = "image must name a tag other than latest, or a digest."
  }
}

variable "image_repository_arn" {
  description = "ARN of the ECR repository the image is pulled from; null for a public image."
  type        = string
  default     = null
}

variable "cluster_arn" {
  description = "ARN of the ECS cluster the service runs in."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:ecs:[^:]+:[0-9]{12}:cluster/.+$", var.cluster_arn))
    error_message = "cluster_arn must be the ARN of an ECS cluster."
  }
}

variable "vpc_id" {
  description = "VPC of the subnets."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets the task may run in; they must reach the endpoints of DynamoDB, CloudWatch and CloudWatch Logs."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "subnet_ids must name at least one subnet."
  }
}

variable "assign_public_ip" {
  description = "Whether the task gets a public address; needed in subnets without NAT or VPC endpoints."
  type        = bool
  default     = false
}

variable "client_security_group_ids" {
  description = "Security groups whose members may send OTLP, by a name of your choosing."
  type        = map(string)
  default     = {}
}

variable "client_cidr_blocks" {
  description = "IPv4 CIDR blocks that may send OTLP."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for block in var.client_cidr_blocks : can(cidrhost(block, 0)) && block != "0.0.0.0/0"])
    error_message = "client_cidr_blocks must be CIDR blocks, and never 0.0.0.0/0: OTLP is not authenticated here."
  }
}

variable "service_discovery_namespace" {
  description = "Cloud Map private DNS namespace in which senders find the service; null for none."
  type        = object({ id = string, name = string })
  default     = null
}

variable "table_arns" {
  description = "ARNs of the tables whose capacity may be changed; * is allowed in the table's name."
  type        = list(string)

  validation {
    condition     = length(var.table_arns) > 0 && alltrue([for arn in var.table_arns : can(regex("^arn:[^:]+:dynamodb:[^:*]+:[0-9]{12}:table/[A-Za-z0-9_.*-]+$", arn))])
    error_message = "table_arns must be DynamoDB table ARNs with Region and account spelled out, such as arn:aws:dynamodb:eu-west-1:111122223333:table/prod-*."
  }
}

variable "policy" {
  description = "The scaling policy as YAML text, e.g. file(\"policy.yaml\"); a change replaces the task. Give this or policy_source."
  type        = string
  default     = null

  # A whole task definition may have 64 KiB (Amazon ECS service quotas).
  validation {
    condition     = var.policy == null ? true : length(trimspace(var.policy)) > 0 && length(var.policy) <= 32768
    error_message = "policy must be YAML text of at most 32768 characters."
  }
}

variable "policy_source" {
  description = "Where the policies are read from, and again when they change: s3://bucket/prefix, or ssm:/path of the Parameter Store. Give this or policy."
  type        = string
  default     = null

  validation {
    condition     = var.policy_source == null ? true : can(regex("^(s3://[a-z0-9][a-z0-9.-]+[a-z0-9](/.*)?|ssm:(/[A-Za-z0-9_.-]+)+)$", var.policy_source))
    error_message = "policy_source must be s3://bucket/prefix or ssm:/path."
  }
}

variable "notification_topic_arns" {
  description = "SNS topics that the policies' notifications name."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.notification_topic_arns : can(regex("^arn:[^:]+:sns:[^:*]+:[0-9]{12}:[A-Za-z0-9_.-]+$", arn))])
    error_message = "notification_topic_arns must be SNS topic ARNs, such as arn:aws:sns:eu-west-1:111122223333:ops."
  }
}

variable "mode" {
  description = "shadow decides and changes nothing; active changes capacity."
  type        = string
  default     = "shadow"

  validation {
    condition     = contains(["shadow", "active"], var.mode)
    error_message = "mode must be shadow or active."
  }
}

variable "cloudwatch_usd_per_month" {
  description = "What reading CloudWatch's consumed units may cost a month in USD; 0 reads nothing, and demand is not corrected for what spans do not tell of."
  type        = number
  default     = 10

  validation {
    condition     = var.cloudwatch_usd_per_month >= 0 && var.cloudwatch_usd_per_month <= 100000
    error_message = "cloudwatch_usd_per_month must be 0 to 100000."
  }
}

variable "alarm_actions" {
  description = "ARNs told when the heartbeat is missing and when it is back, such as an SNS topic's."
  type        = list(string)
  default     = []
}

variable "pilots" {
  description = "1, or 2 for one that stands by; every span then has to be sent to both."
  type        = number
  default     = 1

  validation {
    condition     = contains([1, 2], var.pilots)
    error_message = "pilots must be 1 or 2."
  }
}

variable "log_level" {
  description = "Least severe events to log."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["debug", "info", "warning", "error"], var.log_level)
    error_message = "log_level must be debug, info, warning or error."
  }
}

variable "log_retention_days" {
  description = "Days the logs are kept; one of the periods CloudWatch Logs knows."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a retention period of CloudWatch Logs, such as 30, 90 or 365."
  }
}

variable "cpu" {
  description = "CPU units of the task; 1024 are one vCPU."
  type        = number
  default     = 1024

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.cpu)
    error_message = "cpu must be 256, 512, 1024, 2048 or 4096."
  }
}

variable "memory" {
  description = "Memory of the task in MiB, within what Fargate offers for the CPU units."
  type        = number
  default     = 2048

  validation {
    condition     = var.memory >= 512 && var.memory <= 30720
    error_message = "memory must be 512 to 30720 MiB."
  }
}

variable "cpu_architecture" {
  description = "Architecture the image was built for."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "cpu_architecture must be X86_64 or ARM64."
  }
}

variable "tags" {
  description = "Tags of everything created."
  type        = map(string)
  default     = {}
}
