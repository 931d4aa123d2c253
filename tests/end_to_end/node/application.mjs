// A traced Node application, as its owner would write it: the AWS SDK v3 under OpenTelemetry.
//
// node application.mjs ENDPOINT proto|json OTLP_URL. One JSON line on standard input sets its
// calls per second from then on; end of input flushes the spans and ends it.

import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

// The instrumentation hooks require(), so everything it patches is loaded that way, after it.
const require = createRequire(import.meta.url);
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { AwsInstrumentation } = require("@opentelemetry/instrumentation-aws-sdk");
const { resourceFromAttributes } = require("@opentelemetry/resources");

const [endpoint, encoding, url] = process.argv.slice(2);
const { OTLPTraceExporter } = require(
  encoding === "proto"
    ? "@opentelemetry/exporter-trace-otlp-proto"
    : "@opentelemetry/exporter-trace-otlp-http",
);
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "feed-node" }),
  spanProcessors: [
    new BatchSpanProcessor(new OTLPTraceExporter({ url }), { scheduledDelayMillis: 500 }),
  ],
});
provider.register();
registerInstrumentations({ instrumentations: [new AwsInstrumentation()] });

const { DynamoDBClient, PutItemCommand, QueryCommand } = require("@aws-sdk/client-dynamodb");
const client = new DynamoDBClient({ endpoint, maxAttempts: 1 });

const author = { S: "ada" };
const commands = {
  puts: (detail) =>
    new PutItemCommand({
      TableName: "feed",
      Item: { id: { S: randomUUID() }, author, text: { S: "x".repeat(900) } },
      ...detail,
    }),
  queries: (detail) =>
    new QueryCommand({
      TableName: "feed",
      IndexName: "author",
      KeyConditionExpression: "author = :a",
      ExpressionAttributeValues: { ":a": author },
      Limit: 5,
      ...detail,
    }),
};

let orders = {};
const due = {};
const ended = {};

async function carryOut(name) {
  const detail = orders.capacity ? { ReturnConsumedCapacity: orders.capacity } : {};
  let outcome = name;
  try {
    await client.send(commands[name](detail));
  } catch (error) {
    outcome = `${name} ${error.name}`;
  }
  ended[outcome] = (ended[outcome] ?? 0) + 1;
}

const pace = setInterval(() => {
  const now = performance.now() / 1000;
  for (const name of Object.keys(commands)) {
    const rate = orders[name] ?? 0;
    let at = Math.max(due[name] ?? now, now - 1);
    for (; rate > 0 && at <= now; at += 1 / rate) void carryOut(name);
    due[name] = at;
  }
}, 4);

createInterface({ input: process.stdin })
  .on("line", (line) => {
    orders = JSON.parse(line);
  })
  .on("close", async () => {
    clearInterval(pace);
    await provider.shutdown();
    console.error(JSON.stringify(ended));
    process.exit(0);
  });
