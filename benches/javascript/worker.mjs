// The official JavaScript SDK as one side of the comparison: a JSON line in, a JSON line out, as benches/worker.py does.
//
//     node worker.mjs FOLDER PYTHON        FOLDER holds the node_modules that `make bench` installed

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { event, shapes } from "./histories.mjs";
import { handlers } from "./handlers.mjs";

const [, , FOLDER, PYTHON] = process.argv;
const load = createRequire(join(FOLDER, "package.json"));
const { withDurableExecution } = load("@aws/durable-execution-sdk-js");

const lambdaContext = {
  awsRequestId: "00000000-0000-4000-8000-000000000000",
  functionName: "bench",
  functionVersion: "$LATEST",
  invokedFunctionArn: "arn:aws:lambda:eu-central-1:123456789012:function:bench",
  memoryLimitInMB: "1024",
  logGroupName: "/aws/lambda/bench",
  logStreamName: "bench",
  callbackWaitsForEmptyEventLoop: false,
  getRemainingTimeInMillis: () => 900_000,
};

// Acknowledges every update after so long, from memory; `busyMs` are the times that it took, which are not the SDK's.
class Client {
  constructor(latencyMs = 0) {
    this.latencyMs = latencyMs;
    this.busyMs = [];
    this.requests = 0;
  }

  async getExecutionState() {
    throw new Error("a page was asked for");
  }

  async checkpoint({ Updates: updates }) {
    const started = performance.now();
    this.requests += 1;
    if (this.latencyMs) {
      await new Promise((resolve) => setTimeout(resolve, this.latencyMs));
    }
    const status = { SUCCEED: "SUCCEEDED", FAIL: "FAILED", RETRY: "PENDING" };
    const operations = updates.map(({ Id, Type, SubType, Name, ParentId, Action, Payload }) => ({
      ...{ Id, Type, SubType, Name, ParentId, Status: status[Action] ?? "STARTED", StartTimestamp: new Date() },
      ...(Type === "STEP" ? { StepDetails: { Attempt: 1, Result: Payload } } : {}),
      ...(Type === "CONTEXT" ? { ContextDetails: { Result: Payload } } : {}),
    }));
    this.busyMs.push(performance.now() - started);
    return { CheckpointToken: `token-${this.requests}`, NewExecutionState: { Operations: operations, NextMarker: "" } };
  }
}

// Milliseconds of one invocation, whose event is parsed anew as the runtime does.
async function invocation(handler, config, text, status, result) {
  const durable = withDurableExecution(handler, config);
  const parsed = JSON.parse(text);
  const started = performance.now();
  const output = await durable(parsed, lambdaContext);
  const elapsed = performance.now() - started;
  if (output.Status !== status || (result !== undefined && Number(output.Result) !== result)) {
    throw new Error(`unexpected output ${JSON.stringify(output)}`);
  }
  return elapsed;
}

// Microseconds per finished operation. `gather` awaits the steps together; `length` is that of each result.
async function replay({ steps, shape = "steps", length }) {
  const history = shape === "gather" ? shapes.steps(steps) : shapes[shape](steps, length);
  const config = { durableExecutionClient: new Client() };
  const text = JSON.stringify(event(history));
  return ((await invocation(handlers[shape](steps), config, text, "SUCCEEDED", steps)) / steps) * 1e3;
}

// Microseconds per branch of a map: some are finished, the others are at a wait.
async function map({ items, waiting = 1 }) {
  const config = { durableExecutionClient: new Client() };
  const text = JSON.stringify(event(shapes.map(items, waiting)));
  const branches = items + waiting;
  return ((await invocation(handlers.map(branches), config, text, "PENDING")) / branches) * 1e3;
}

// Microseconds per one-step item of a map that runs for the first time.
async function freshMap({ items, latency_ms: latencyMs = 0 }) {
  const config = { durableExecutionClient: new Client(latencyMs) };
  const text = JSON.stringify(event([]));
  return ((await invocation(handlers.freshMap(items), config, text, "SUCCEEDED", items)) / items) * 1e3;
}

// Milliseconds of an invocation that does nothing, or that comes upon a wait: the middle one of five.
async function fixed({ ending }) {
  const text = JSON.stringify(event(shapes[ending]()));
  const elapsed = [];
  for (let done = 0; done < 5; done += 1) {
    const config = { durableExecutionClient: new Client() };
    elapsed.push(await invocation(handlers[ending](), config, text, ending === "empty" ? "SUCCEEDED" : "PENDING"));
  }
  return median(elapsed);
}

// Milliseconds per step that runs for the first time, beyond the time in the client; the first one is left out.
async function fresh({ latency_ms: latencyMs, steps = 30 }) {
  const client = new Client(latencyMs);
  const spent = [];
  const text = JSON.stringify(event([]));
  await invocation(handlers.fresh(steps, spent), { durableExecutionClient: client }, text, "SUCCEEDED", steps);
  if (client.busyMs.length !== steps + 1) {
    throw new Error(`${client.busyMs.length} requests for ${steps + 1} steps`);
  }
  const busy = client.busyMs.slice(1);
  return sum(spent.map((each, index) => each - busy[index])) / steps;
}

const sum = (figures) => figures.reduce((total, each) => total + each, 0);
const median = (figures) => figures.toSorted((one, other) => one - other)[Math.floor(figures.length / 2)];

// Over the client of the AWS SDK: microseconds per step that is read in pages, or milliseconds per fresh step.
async function wire({ what, steps, latency_ms: latencyMs = 0 }) {
  const service = spawn(PYTHON, ["-m", "benches.service", String(latencyMs)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: service.stdout })[Symbol.asyncIterator]();
  service.stdin.write(`${JSON.stringify(what === "pages" ? shapes.steps(steps) : [])}\n`);
  const port = (await lines.next()).value;
  const { LambdaClient } = load("@aws-sdk/client-lambda");
  const client = new LambdaClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: "eu-central-1",
    credentials: { accessKeyId: "AKIDBENCH", secretAccessKey: "bench" },
  });
  try {
    if (what === "pages") {
      const text = JSON.stringify(event([], "m0"));
      await invocation(handlers.steps(steps), { client }, text, "SUCCEEDED", steps); // makes the connection
      return ((await invocation(handlers.steps(steps), { client }, text, "SUCCEEDED", steps)) / steps) * 1e3;
    }
    const spent = [];
    await invocation(handlers.fresh(steps, spent), { client }, JSON.stringify(event([])), "SUCCEEDED", steps);
    service.stdin.end();
    return median(spent) - Number((await lines.next()).value);
  } finally {
    service.stdin.end();
    client.destroy();
  }
}

const questions = { replay, map, freshMap, fixed, fresh, wire };
const answer = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
// What an SDK or a handler prints must not end up between the answers.
for (const level of ["debug", "info", "log", "warn", "error"]) {
  console[level] = () => {};
}
for await (const line of createInterface({ input: process.stdin })) {
  const { question, arguments: options } = JSON.parse(line);
  try {
    answer({ value: await questions[question](options) });
  } catch (error) {
    answer({ error: String(error?.stack ?? error) });
  }
}
