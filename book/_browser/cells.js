// The cells of a page, made live: edit, run, run all, restart. Knows nothing of where they run.
//
// A kernel is {start(say), run(code, show), restart(say)}, each returning a promise.
//   say(text)     tells the reader how far the start is;
//   show(output)  takes one output as in a notebook file: output_type is "stream", "display_data",
//                 "execute_result" or "error";
//   run           resolves to true, or to false after an error.

const ANSI = /\x1b\[[0-9;]*m/g;

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function button(text, label, action) {
  const made = element("button", "lite-button", text);
  made.type = "button";
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", action);
  return made;
}

function picture(data) {
  for (const kind of ["image/svg+xml", "image/png"]) {
    if (!(kind in data)) continue;
    const image = element("img", "figure-theme dark-light");
    const text = [].concat(data[kind]).join("");
    image.src = `data:${kind}` + (kind.includes("svg") ? `,${encodeURIComponent(text)}` : `;base64,${text}`);
    return image;
  }
  return null;
}

class Cell {
  constructor(box, number, run) {
    this.pre = box.querySelector(".cell_input pre");
    this.number = number;
    for (let up = box; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
    for (const hidden of box.querySelectorAll("details")) hidden.open = true;
    this.output = box.querySelector(".cell_output") || box.appendChild(element("div", "cell_output docutils container"));
    this.mark = element("span", "lite-mark");
    this.editButton = button("Edit", `Edit cell ${number}`, () => this.edit());
    this.runButton = button("Run", `Run cell ${number}`, run);
    const bar = element("div", "lite-cell");
    bar.append(this.runButton, this.editButton, this.mark);
    box.querySelector(".cell_input").after(bar);
    this.run = run;
  }

  get code() {
    return this.editor ? this.editor.value : this.pre.textContent;
  }

  // Open an editor in the place of the code, or give up what was edited.
  edit() {
    const opens = !this.editor;
    this.pre.hidden = opens;
    this.editButton.textContent = opens ? "Undo edits" : "Edit";
    this.editButton.setAttribute("aria-label", `${opens ? "Undo edits of" : "Edit"} cell ${this.number}`);
    if (!opens) {
      this.editor.remove();
      this.editor = null;
      return;
    }
    const editor = (this.editor = element("textarea", "lite-editor"));
    editor.value = this.pre.textContent.trimEnd();
    editor.spellcheck = false;
    editor.setAttribute("aria-label", `Code of cell ${this.number}; shift and enter run it`);
    const fit = () => (editor.rows = editor.value.split("\n").length + 1);
    editor.addEventListener("input", fit);
    editor.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.shiftKey || event.ctrlKey)) return;
      event.preventDefault();
      this.run();
    });
    fit();
    this.pre.after(editor);
    editor.focus();
  }

  // A figure keeps its caption and anchor, and waits for its new picture; all else goes.
  clear() {
    this.waiting = [...this.output.querySelectorAll("figure")];
    for (const child of [...this.output.children]) if (!this.waiting.includes(child)) child.remove();
    for (const figure of this.waiting) {
      const image = figure.querySelector("img");
      if (image) image.hidden = true;
    }
    this.fresh = element("div", "lite-output");
    this.output.prepend(this.fresh);
  }

  show(output) {
    const data = output.data || {};
    const image = picture(data);
    const figure = image && this.waiting.shift();
    if (figure) {
      const old = figure.querySelector("img");
      image.dataset.built = old?.dataset.built ?? old?.alt ?? "";
      image.alt = `Drawn anew. As it was built: ${image.dataset.built}`;
      old ? old.replaceWith(image) : figure.prepend(image);
    } else if (image) {
      image.alt = `Figure drawn by cell ${this.number}`;
      this.fresh.append(image);
    } else if ("text/html" in data) {
      const html = element("div", "output text_html");
      html.innerHTML = [].concat(data["text/html"]).join("");
      this.fresh.append(html);
    } else {
      const kind = output.output_type === "error" ? "error" : output.name || "result";
      const text = output.output_type === "error" ? output.traceback.join("\n") : output.text ?? data["text/plain"] ?? "";
      let last = this.fresh.lastElementChild;
      if (last?.dataset.kind !== kind || kind === "result") {
        last = element("pre", `lite-text lite-${kind}`);
        last.tabIndex = 0; // it may scroll
        last.dataset.kind = kind;
        this.fresh.append(last);
      }
      last.textContent += [].concat(text).join("").replace(ANSI, "");
    }
  }

  // "waiting", "running", "done" or "failed"; and as which run, since errors say "In[2]".
  state(name, count) {
    this.mark.textContent = count ? `${name}, In[${count}]` : name;
    this.mark.dataset.state = name;
  }
}

// Put the button into `bar`; once it is pressed and the kernel has started, the cells are live.
export function live(bar, kernel, text = "Run this page in your browser") {
  const status = element("span", "lite-status");
  status.setAttribute("role", "status");
  const say = (words) => (status.textContent = words);
  let cells = [];
  let queue = Promise.resolve();
  let count = 0;
  let round = 0; // what was asked for before a restart is dropped

  function ask(chosen) {
    const mine = round;
    let go = true;
    for (const cell of chosen) {
      cell.state("waiting");
      queue = queue.then(async () => {
        if (mine !== round) return;
        if (!go) return cell.state("");
        cell.clear();
        cell.state("running", ++count);
        say(`Running cell ${cell.number} of ${cells.length}.`);
        try {
          go = await kernel.run(cell.code, (output) => mine === round && cell.show(output));
        } catch (error) {
          go = false;
          cell.show({ output_type: "error", traceback: [String(error.message || error)] });
        }
        if (mine !== round) return;
        cell.state(go ? "done" : "failed", count);
        say(go ? "Ready." : `Cell ${cell.number} failed.`);
      });
    }
  }

  async function begin(action) {
    const mine = ++round;
    queue = Promise.resolve();
    count = 0;
    for (const cell of cells) cell.state("");
    try {
      await action(say);
    } catch (error) {
      if (mine === round) say(`It did not start: ${error.message || error}`);
      return false;
    }
    if (mine === round) say("Ready. A cell needs what those above it made: run them in order, or all.");
    return mine === round;
  }

  const start = button(text, "", async () => {
    start.disabled = true;
    const started = await begin((words) => kernel.start(words));
    start.disabled = false;
    if (!started) return;
    cells = [...document.querySelectorAll(".bd-article div.cell:has(> .cell_input, > details .cell_input)")].map(
      (box, index) => new Cell(box, index + 1, () => ask([cells[index]])),
    );
    const all = button("Run all", "", () => ask(cells));
    const again = button("Restart", "", () => begin((words) => kernel.restart(words)));
    start.replaceWith(all, again);
    all.focus();
  });
  bar.append(start, status);
  bar.hidden = false;
}
