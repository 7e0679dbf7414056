/** Programs that show the order of jobs, to be run with the language's own promises and with those of the SDK. */

const rejected = (value) => Promise.reject(new Error(value));

export const PROGRAMS = {
  "then, catch and finally": async (say) => {
    Promise.resolve(1).then((n) => say(`then ${n}`)).then(() => say("then again"));
    rejected("x").catch((error) => say(`catch ${error.message}`)).finally(() => say("finally"));
    rejected("y").finally(() => say("finally of y")).catch((error) => say(`still ${error.message}`));
    Promise.resolve(2).finally(() => rejected("z")).catch((error) => say(`other ${error.message}`));
    await Promise.resolve(2).finally(() => "ignored").then((n) => say(`kept ${n}`));
  },
  "await takes one job, and a promise that resolves with another takes three": async (say) => {
    const counts = async (name, jobs) => {
      for (let job = 0; job < jobs; job += 1) {
        say(`${name} ${job}`);
        await null;
      }
    };
    const returnsPromise = async () => Promise.resolve();
    await Promise.all([counts("a", 5), returnsPromise().then(() => say("returned")), counts("b", 5)]);
  },
  "thenables are adopted in a job of their own": async (say) => {
    const thenable = { then: (resolve) => (say("called"), resolve("adopted"), resolve("twice")) };
    const promise = Promise.resolve(thenable).then(say);
    say("before");
    await promise;
    const throwing = { get then() { throw new Error("getter"); } };
    await Promise.resolve(throwing).catch((error) => say(error.message));
  },
  "all, allSettled, any and race": async (say) => {
    say(JSON.stringify(await Promise.all([1, Promise.resolve(2), (async () => 3)()])));
    const settled = await Promise.allSettled([1, rejected("no")]);
    say(settled.map(({ status, value, reason }) => `${status} ${value ?? reason.message}`).join());
    say(await Promise.any([rejected("no"), (async () => "any")()]));
    await Promise.any([rejected("a"), rejected("b")]).catch((error) => say(error.errors.map((one) => one.message).join()));
    say(await Promise.race([new Promise(() => {}), Promise.resolve("race")]));
    await Promise.all([Promise.resolve(1), rejected("all")]).catch((error) => say(error.message));
    say(JSON.stringify([await Promise.all([]), await Promise.allSettled([])]));
  },
  "withResolvers, self-resolution and executors that throw": async (say) => {
    let settle;
    const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
    promise.then(say);
    settle.resolve("first");
    settle.reject(new Error("ignored"));
    await promise;
    let self;
    const loop = new Promise((resolve) => (self = resolve));
    self(loop);
    await loop.catch((error) => say(error.constructor.name));
    await new Promise(() => { throw new Error("thrown"); }).catch((error) => say(error.message));
    say(`${Promise.resolve(promise) === promise} ${Object.prototype.toString.call(promise)} ${promise instanceof Promise}`);
  },
  "async generators and for await": async (say) => {
    async function* numbers() {
      try {
        for (let n = 0; n < 3; n += 1) yield n;
      } finally {
        say("closed");
      }
    }
    for await (const n of numbers()) {
      say(n);
      if (n === 1) break;
    }
    for await (const n of [Promise.resolve("x"), "y"]) say(n);
  },
  "errors go through await to who catches them": async (say) => {
    const deep = async (levels) => {
      if (levels === 0) throw new Error("deep");
      try {
        await deep(levels - 1);
      } finally {
        say(`level ${levels}`);
      }
    };
    await deep(3).catch((error) => say(error.message));
  },
};
