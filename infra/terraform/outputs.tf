output "otlp_grpc_endpoint" {
  description = "Where senders export OTLP over gRPC; null without service discovery."
  value       = var.service_discovery_namespace == null ? null : "http://${var.name}.${var.service_discovery_namespace.name}:${local.grpc_port}"
}

output "otlp_http_endpoint" {
  description = "Where senders export OTLP over HTTP; null without service discovery."
  value       = var.service_discovery_namespace == null ? null : "http://${var.name}.${var.service_discovery_namespace.name}:${local.http_port}"
}

output "security_group_id" {
  description = "Security group of the task."
  value       = aws_security_group.this.id
}

output "task_role_arn" {
  description = "Role the daemon acts as."
  value       = aws_iam_role.task.arn
}

output "log_group_name" {
  description = "Log group of the daemon."
  value       = aws_cloudwatch_log_group.this.name
}

output "service_name" {
  description = "Name of the ECS service."
  value       = aws_ecs_service.this.name
}
