// The official JavaScript SDK as one side of the comparison: a JSON line in, a JSON line out, as benches/worker.py does.
//
//     node worker.mjs FOLDER        FOLDER holds the node_modules that `make bench` installed

import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const { withDurableExecution } = createRequire(join(process.argv[2], "package.json"))("@aws/durable-execution-sdk-js");

const ARN = "arn:aws:lambda:eu-central-1:123456789012:function:bench:$LATEST/durable-execution/bench/0b5f4ad1";
const START_MS = 1_760_000_000_000;

// Ids of operations at the top, as the JavaScript SDK computes them.
const operationId = (position) => createHash("md5").update(String(position)).digest("hex").substring(0, 16);

const stored = (position) =>
  JSON.stringify({ order: `A-${position}`, amount: position / 4, paid: true, lines: position % 7 });

const finishedStep = (position) => ({
  Id: operationId(position),
  Type: "STEP",
  SubType: "Step",
  Name: "charge",
  Status: "SUCCEEDED",
  StartTimestamp: START_MS + position,
  EndTimestamp: START_MS + position + 1,
  StepDetails: { Attempt: 1, Result: stored(position) },
});

function eventText(steps) {
  const operations = Array.from({ length: steps }, (_, index) => finishedStep(index + 1));
  const execution = {
    Id: "0b5f4ad1",
    Type: "EXECUTION",
    Name: "bench",
    Status: "STARTED",
    StartTimestamp: START_MS,
    ExecutionDetails: { InputPayload: "{}" },
  };
  return JSON.stringify({
    DurableExecutionArn: ARN,
    CheckpointToken: "token-0",
    InitialExecutionState: { Operations: [execution, ...operations], NextMarker: "" },
  });
}

// Replay asks the service for nothing: the whole history is in the event.
const durableExecutionClient = {
  async getExecutionState() {
    throw new Error("a page was asked for");
  },
  async checkpoint() {
    throw new Error("a checkpoint was written");
  },
};

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

const never = async () => {
  throw new Error("a finished step ran again");
};

// Microseconds per finished step of one invocation; `what: "gather"` awaits all of them together.
async function replay({ steps, what = "awaited" }) {
  const handler = withDurableExecution(
    async (_, context) => {
      if (what === "gather") {
        const promises = Array.from({ length: steps }, () => context.step("charge", never));
        return (await Promise.all(promises)).reduce((total, result) => total + result.amount, 0);
      }
      let total = 0;
      for (let done = 0; done < steps; done += 1) {
        total += (await context.step("charge", never)).amount;
      }
      return total;
    },
    { durableExecutionClient },
  );
  const event = JSON.parse(eventText(steps));
  const started = performance.now();
  const output = await handler(event, lambdaContext);
  const elapsed = performance.now() - started;
  if (output.Status !== "SUCCEEDED" || Number(output.Result) !== (steps * (steps + 1)) / 8) {
    throw new Error(`unexpected output ${JSON.stringify(output)}`);
  }
  return (elapsed / steps) * 1e3;
}

const questions = { replay };
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
