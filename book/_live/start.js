// One button below the title, for whatever can run the cells: the server that sent this page, if
// it has kernels, else this browser, if it has what the page needs. Nobody else is asked.
(async () => {
  const live = document.currentScript.src.replace(/start\.js.*$/, "");
  const bar = document.querySelector(".live-bar");
  if (!bar || !location.protocol.startsWith("http")) return;
  const answer = await fetch(`${live}server.json`).catch(() => null);
  const kernels = answer?.ok && (await answer.json()).kernels;
  if (!kernels && bar.dataset.runs !== "browser") return;
  const [{ offer }, { label, title, start }] = await Promise.all(
    [import(`${live}cells.js`), import(`${live}${kernels ? "kernel" : "browser"}.js`)]);
  offer(bar, label, title, (state) => start(state, bar.dataset));
})();
