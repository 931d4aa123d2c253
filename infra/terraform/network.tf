locals {
  otlp_ports = toset([tostring(local.grpc_port), tostring(local.http_port)])

  ingress_from_groups = {
    for pair in setproduct(keys(var.client_security_group_ids), local.otlp_ports) :
    "${pair[0]}-${pair[1]}" => { group = var.client_security_group_ids[pair[0]], port = tonumber(pair[1]) }
  }

  ingress_from_blocks = {
    for pair in setproduct(var.client_cidr_blocks, local.otlp_ports) :
    "${pair[0]}-${pair[1]}" => { block = pair[0], port = tonumber(pair[1]) }
  }
}

resource "aws_security_group" "this" {
  name        = var.name
  description = "OTLP in from named senders, HTTPS out to AWS"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "group" {
  for_each = local.ingress_from_groups

  security_group_id            = aws_security_group.this.id
  description                  = "OTLP from ${each.key}"
  referenced_security_group_id = each.value.group
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "block" {
  for_each = local.ingress_from_blocks

  security_group_id = aws_security_group.this.id
  description       = "OTLP from ${each.key}"
  cidr_ipv4         = each.value.block
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "AWS endpoints and the image registry"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

resource "aws_service_discovery_service" "this" {
  for_each = var.service_discovery_namespace == null ? toset([]) : toset(local.pilots)

  name = each.key
  tags = var.tags

  dns_config {
    namespace_id   = var.service_discovery_namespace.id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "A"
      ttl  = 10
    }
  }
}
