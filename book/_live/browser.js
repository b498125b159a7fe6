// A kernel in this browser alone: Pyodide, in a worker.

export const label = "Run this page in your browser";
export const title = "Edit and run the cells, in this browser";

// state(word) is told how far the start is, and then "busy", "idle", "restarting" and "dead".
export async function start(state, { pyodide, packages, wheel }) {
  const here = (name) => new URL(name, import.meta.url).href;
  const kernel = new BrowserKernel(state, {
    pyodide: new URL(pyodide, document.baseURI).href,
    packages: packages.split(" "),
    wheel: here(wheel),
    python: here("runner.py"),
  });
  await kernel.begin();
  return kernel;
}

class BrowserKernel {
  constructor(state, settings) {
    Object.assign(this, { state, settings, queue: Promise.resolve() });
  }

  async begin() {
    this.worker = new Worker(new URL("worker.js", import.meta.url));
    this.count = 0;
    await this.ask({ start: this.settings });
  }

  // One question at a time. Resolves to the answer, or to undefined if the worker was ended.
  ask(question, onMessage) {
    const { worker } = this;
    return new Promise((resolve, reject) => {
      this.abandon = resolve;
      worker.onmessage = ({ data }) => {
        if (data.say) this.state(data.say);
        else if (data.output) onMessage(data.output.output_type, data.output);
        else if (data.failure) reject(new Error(data.failure));
        else resolve(data.done);
      };
      worker.onerror = (event) => reject(new Error(event.message || "the worker stopped"));
      worker.postMessage(question);
    });
  }

  // As the kernel of a server: cells wait for each other, and the reply has a status.
  run(code, onMessage) {
    const { worker } = this;
    this.queue = this.queue.then(async () => {
      if (worker !== this.worker) return { status: "aborted" };
      this.state("busy");
      const execution_count = ++this.count;
      const done = await this.ask({ code }, onMessage).catch((error) =>
        onMessage("error", { traceback: [error.message] }));
      if (worker !== this.worker) return { status: "aborted" };
      this.state("idle");
      return { status: done ? "ok" : "error", execution_count };
    });
    return this.queue;
  }

  // A worker cannot be interrupted, only ended.
  interrupt() {
    this.stop();
    this.state("dead");
  }

  async restart() {
    this.stop();
    this.state("restarting");
    await this.begin();
    this.state("idle");
  }

  stop() {
    this.worker?.terminate();
    this.worker = null;
    this.abandon?.();
  }
}
