// Invocation events as the JavaScript SDK reads them: the shapes of benches/questions, with its ids and its stored values.

import { createHash } from "node:crypto";

export const ARN =
  "arn:aws:lambda:eu-central-1:123456789012:function:bench:$LATEST/durable-execution/bench/0b5f4ad1";
const START_MS = 1_760_000_000_000;

// The SDK names an operation by its place, and stores what this makes of it.
const hashed = (place) => createHash("md5").update(place).digest("hex").substring(0, 16);

const times = (status) => ({
  Status: status,
  StartTimestamp: START_MS,
  ...(status === "SUCCEEDED" ? { EndTimestamp: START_MS + 1 } : {}),
});

const operation = (place, Type, SubType, status, more) => {
  const dash = place.lastIndexOf("-");
  const parent = dash < 0 ? {} : { ParentId: hashed(place.substring(0, dash)) };
  return { Id: hashed(place), Type, SubType, ...parent, ...times(status), ...more };
};

const small = (position) => ({ order: `A-${position}`, amount: position / 4, paid: true, lines: position % 7 });

export const rows = (position, count) =>
  Array.from({ length: count }, (_, index) => ({
    id: position + index,
    name: `customer ${position + index}`,
    total: (position + index) / 7,
    tags: ["new", "paid"],
    active: true,
  }));

const finishedStep = (place, result) =>
  operation(place, "STEP", "Step", "SUCCEEDED", {
    Name: "charge",
    StepDetails: { Attempt: 1, Result: JSON.stringify(result) },
  });

const openWait = (place) =>
  operation(place, "WAIT", "Wait", "STARTED", { WaitDetails: { ScheduledEndTimestamp: Date.now() + 3_600_000 } });

const count = (length, make) => Array.from({ length }, (_, index) => make(index + 1)).flat();

export const shapes = {
  steps: (operations) => count(operations, (n) => finishedStep(`${n}`, small(n))),

  results: (operations, length) => count(operations, (n) => finishedStep(`${n}`, rows(n, length))),

  // A hundred steps in each outer context: ten inner ones of ten steps, whose bodies run again.
  children: (operations) => {
    const again = { ContextDetails: { ReplayChildren: true } };
    const context = (place) => operation(place, "CONTEXT", "RunInChildContext", "SUCCEEDED", again);
    return count(operations / 100, (outer) => [
      context(`${outer}`),
      ...count(10, (inner) => [
        context(`${outer}-${inner}`),
        ...count(10, (n) => finishedStep(`${outer}-${inner}-${n}`, small(n))),
      ]),
    ]);
  },

  mixed: (operations) =>
    count(operations / 4, (turn) => {
      const n = turn * 4 - 3;
      return [
        finishedStep(`${n}`, small(n)),
        operation(`${n + 1}`, "WAIT", "Wait", "SUCCEEDED", { WaitDetails: { ScheduledEndTimestamp: START_MS + 1 } }),
        operation(`${n + 2}`, "CHAINED_INVOKE", "ChainedInvoke", "SUCCEEDED", {
          Name: "ship",
          ChainedInvokeDetails: { Result: "{}" },
        }),
        operation(`${n + 3}`, "CONTEXT", "RunInChildContext", "SUCCEEDED", {
          Name: "refund",
          ContextDetails: { Result: JSON.stringify(small(n)) },
        }),
      ];
    }),

  // A map: so many branches are finished, the others are at a wait.
  map: (finished, waiting) => [
    operation("1", "CONTEXT", "Map", "STARTED"),
    ...count(finished, (n) =>
      operation(`1-${n}`, "CONTEXT", "MapIteration", "SUCCEEDED", {
        Name: `map-item-${n - 1}`,
        ContextDetails: { Result: `${n - 1}` },
      }),
    ),
    ...count(waiting, (n) => [
      operation(`1-${finished + n}`, "CONTEXT", "MapIteration", "STARTED", { Name: `map-item-${finished + n - 1}` }),
      openWait(`1-${finished + n}-1`),
    ]),
  ],

  suspending: () => [openWait("1")],
  empty: () => [],
};

export function event(operations, marker = "") {
  const execution = {
    Id: "0b5f4ad1",
    Type: "EXECUTION",
    Name: "bench",
    Status: "STARTED",
    StartTimestamp: START_MS,
    ExecutionDetails: { InputPayload: "{}" },
  };
  return {
    DurableExecutionArn: ARN,
    CheckpointToken: "token-0",
    InitialExecutionState: { Operations: [execution, ...operations], NextMarker: marker },
  };
}
