output "otlp_grpc_endpoints" {
  description = "Where senders export OTLP over gRPC, to each of them; empty without service discovery."
  value       = var.service_discovery_namespace == null ? [] : [for pilot in local.pilots : "http://${pilot}.${var.service_discovery_namespace.name}:${local.grpc_port}"]
}

output "otlp_http_endpoints" {
  description = "Where senders export OTLP over HTTP, to each of them; empty without service discovery."
  value       = var.service_discovery_namespace == null ? [] : [for pilot in local.pilots : "http://${pilot}.${var.service_discovery_namespace.name}:${local.http_port}"]
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

output "service_names" {
  description = "Names of the ECS services, one for each pilot."
  value       = [for service in aws_ecs_service.this : service.name]
}

output "state_table_name" {
  description = "The table that pilots share."
  value       = aws_dynamodb_table.state.name
}
