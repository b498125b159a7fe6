// The button of a page that runs in the browser alone: the kernel is Pyodide, in a worker.

import { live } from "./cells.js";

class BrowserKernel {
  constructor(settings) {
    this.settings = settings;
  }

  start(say) {
    this.worker?.terminate();
    this.worker = new Worker(new URL("worker.js", import.meta.url));
    return this.ask({ start: this.settings }, { say });
  }

  run(code, show) {
    return this.ask({ code }, { show });
  }

  restart(say) {
    this.stop?.();
    say("Restarting.");
    return this.start(say);
  }

  // One question at a time: the cells of a page wait for each other.
  ask(question, { say, show }) {
    return new Promise((resolve, reject) => {
      this.stop = () => resolve(false);
      this.worker.onmessage = ({ data }) => {
        if (data.say) say?.(data.say);
        else if (data.output) show?.(data.output);
        else if (data.failure) reject(new Error(data.failure));
        else resolve(data.done);
      };
      this.worker.onerror = (event) => reject(new Error(event.message || "the worker stopped"));
      this.worker.postMessage(question);
    });
  }
}

const here = (name) => new URL(name, import.meta.url).href;

for (const bar of document.querySelectorAll('.lite[data-runs="browser"]')) {
  const settings = {
    pyodide: new URL(bar.dataset.pyodide, document.baseURI).href,
    packages: bar.dataset.packages.split(" "),
    wheel: here(bar.dataset.wheel),
    python: here("runner.py"),
  };
  live(bar, new BrowserKernel(settings));
}
