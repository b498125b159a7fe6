// Pyodide in a worker: starts it as the page asks, then runs one cell after the other.

let runner = null;

const tell = (message) => postMessage(message);

async function start({ pyodide, packages, wheel, python }) {
  tell({ say: "Loading Python (with the packages about 45 MB, the first time)." });
  importScripts(`${pyodide}pyodide.js`);
  const engine = await loadPyodide({ indexURL: pyodide, env: { MPLBACKEND: "agg", HOME: "/home/pyodide" } });
  tell({ say: `Loading ${packages.join(", ")}.` });
  const failures = [];
  await engine.loadPackage(packages, {
    messageCallback: () => {},
    errorCallback: (text) => failures.push(text),
  });
  const loaded = Object.keys(engine.loadedPackages);
  const missing = packages.filter((name) => !loaded.includes(name));
  if (missing.length) throw new Error(`${missing.join(", ")} could not be loaded. ${failures[0] || ""}`);
  tell({ say: "Preparing the packages and the book's library." });
  const [archive, source] = await Promise.all([fetchOf(wheel, "arrayBuffer"), fetchOf(python, "text")]);
  engine.unpackArchive(archive, "wheel");
  engine.FS.writeFile("/home/pyodide/runner.py", source);
  const module = engine.pyimport("runner");
  engine.setStderr({ batched: () => {} }); // what matplotlib says of its fonts
  if (packages.includes("matplotlib")) engine.runPython("import matplotlib.pyplot");
  engine.setStderr();
  runner = module.Runner((output) => tell({ output: JSON.parse(output) }));
  module.stand_in(runner.display);
}

async function fetchOf(address, as) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address} answers ${answer.status}`);
  return answer[as]();
}

onmessage = async ({ data }) => {
  try {
    if (data.start) await start(data.start);
    tell({ done: data.code === undefined || runner.run(data.code) });
  } catch (error) {
    tell({ failure: String(error.message || error) });
  }
};
