// The handlers of the bench: what benches/questions has them do, as the JavaScript SDK spells it.

const never = async () => {
  throw new Error("what had finished ran again");
};

const inner = async (context) => {
  let count = 0;
  for (let done = 0; done < 10; done += 1) {
    count += (await context.step("charge", never)).lines >= 0 ? 1 : 0;
  }
  return count;
};

const outer = async (context) => {
  let count = 0;
  for (let done = 0; done < 10; done += 1) {
    count += await context.runInChildContext(inner);
  }
  return count;
};

// Each makes a handler for so many operations, which answers with their number.
export const handlers = {
  steps: (operations) => async (_, context) => {
    let count = 0;
    for (let done = 0; done < operations; done += 1) {
      count += (await context.step("charge", never)).lines >= 0 ? 1 : 0;
    }
    return count;
  },

  gather: (operations) => async (_, context) => {
    const promises = Array.from({ length: operations }, () => context.step("charge", never));
    return (await Promise.all(promises)).filter((result) => result.lines >= 0).length;
  },

  results: (operations) => async (_, context) => {
    let count = 0;
    for (let done = 0; done < operations; done += 1) {
      count += (await context.step("charge", never)).length > 0 ? 1 : 0;
    }
    return count;
  },

  children: (operations) => async (_, context) => {
    let count = 0;
    for (let done = 0; done < operations / 100; done += 1) {
      count += await context.runInChildContext(outer);
    }
    return count;
  },

  mixed: (operations) => async (_, context) => {
    for (let done = 0; done < operations / 4; done += 1) {
      await context.step("charge", never);
      await context.wait({ seconds: 1 });
      await context.invoke("ship", "ship", {});
      await context.runInChildContext("refund", never);
    }
    return operations;
  },

  // A map over finished branches and others that wait.
  map: (branches) => async (_, context) => {
    const inputs = Array.from({ length: branches }, (_, index) => index);
    return (await context.map(inputs, async (branch) => branch.wait({ hours: 1 }))).successCount;
  },

  freshMap: (branches) => async (_, context) => {
    const inputs = Array.from({ length: branches }, (_, index) => index);
    return (await context.map(inputs, async (branch, value) => branch.step(async () => value))).successCount;
  },

  suspending: () => async (_, context) => context.wait({ hours: 1 }),
  empty: () => async () => 0,

  // Steps that run for the first time; how long each took is put down.
  fresh: (operations, spent) => async (_, context) => {
    await context.step(async () => 0); // makes the client and its connection
    for (let done = 0; done < operations; done += 1) {
      const started = performance.now();
      await context.step(async () => ({ order: done }));
      spent.push(performance.now() - started);
    }
    return operations;
  },
};
