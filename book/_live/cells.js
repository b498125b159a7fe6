// Cells that can be edited and run: what the reader sees and presses, wherever they run.
//
// A kernel has run(code, onMessage), which resolves to a reply with a status, interrupt(),
// restart() and stop(). It tells its state in a word of WORDS, or in a sentence.

import { Output } from "./output.js";

const WORDS = {
  starting: "Starting Python…", busy: "Running", idle: "Ready", restarting: "Restarting…",
  dead: "Python has stopped: press Restart", disconnected: "No connection: reload the page",
};

function button(label, title, press) {
  const element = document.createElement("button");
  Object.assign(element, { type: "button", className: "live-button", textContent: label, title });
  element.addEventListener("click", press);
  return element;
}

// Put the one button into the bar; connect(state) starts a kernel, once it is pressed.
export function offer(bar, label, title, connect) {
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", "Live cells");
  const start = button(label, title, () => new Page(bar, start, connect).start());
  bar.replaceChildren(start);
  bar.hidden = false;
}

class Page {
  constructor(bar, begin, connect) {
    Object.assign(this, { bar, begin, connect });
    this.status = document.createElement("span");
    this.status.setAttribute("role", "status");
    this.status.className = "live-status";
    bar.replaceChildren(begin, this.status);
  }

  // The button stays until Python runs, so that a start that failed can be tried again.
  async start() {
    this.begin.disabled = true;
    this.show("starting");
    try {
      this.kernel = await this.connect((state) => this.show(state));
    } catch (error) {
      this.begin.disabled = false;
      return this.say(`Python did not start: ${error.message}`);
    }
    addEventListener("pagehide", () => this.kernel.stop());
    this.bar.replaceChildren(
      button("Run all", "Run all cells of this page, one after the other", () => this.runTo()),
      button("Stop", "Interrupt the running cell", () => this.kernel.interrupt()),
      button("Restart", "Start Python anew: all variables are forgotten", () => this.restart()),
      this.status,
    );
    this.cells = [...document.querySelectorAll("article div.cell")]
      .filter((element) => element.querySelector(".cell_input pre"))
      .map((element, index) => new Cell(this, element, index + 1));
    this.show("idle");
    this.bar.querySelector("button").focus();
  }

  show(state) {
    const where = state === "busy" && this.current ? ` cell ${this.current.number}` : "";
    this.say((WORDS[state] ?? state) + where);
    this.bar.dataset.state = state;
  }

  say(words) {
    if (this.status.textContent !== words) this.status.textContent = words;
  }

  // Run the cells up to the last given that have not run in this Python; "Run all" runs all.
  async runTo(last = null) {
    for (const cell of this.cells) {
      if (cell === last || last === null || !cell.ran) {
        const reply = await cell.run();
        if (reply.status !== "ok") return this.say(`Stopped at cell ${cell.number}`);
      }
      if (cell === last) return;
    }
    this.say(`Ready: all ${this.cells.length} cells ran`);
  }

  async restart() {
    this.current = null;
    for (const cell of this.cells) cell.forget();
    await this.kernel.restart().catch((error) => this.say(`No restart: ${error.message}`));
  }
}

class Cell {
  constructor(page, element, number) {
    Object.assign(this, { page, element, number, ran: false });
    element.classList.add("live-cell");
    const input = element.querySelector(".cell_input");
    this.pre = input.querySelector("pre");
    this.pre.addEventListener("click", () => {
      if (getSelection().isCollapsed) this.edit(caret(this.pre));  // else text was selected
    });
    this.box = document.createElement("textarea");
    this.box.value = this.pre.textContent.trimEnd();
    this.box.hidden = true;
    this.box.className = "live-code";
    this.box.setAttribute("aria-label", `Code of cell ${number}`);
    for (const name of ["spellcheck", "autocapitalize", "autocomplete", "wrap"]) {
      this.box.setAttribute(name, name === "spellcheck" ? "false" : "off");
    }
    this.box.addEventListener("input", () => this.fit());
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.shiftKey || event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        if (!event.repeat) this.run();
      }
    });
    this.pre.after(this.box);
    const details = element.querySelector(":scope > details");
    if (details) details.open = true;
    this.count = document.createElement("span");
    this.count.className = "live-count";
    const name = `cell ${number}`;
    this.buttons = [
      button("Run", `Run ${name} (Shift+Enter)`, () => this.run()),
      button("Edit", `Edit ${name}`, () => this.edit()),
      button("Run to here", `Run what has not run yet, down to ${name}`, () => page.runTo(this)),
    ];
    for (const one of this.buttons) one.setAttribute("aria-label", `${one.textContent}, ${name}`);
    const tools = document.createElement("div");
    tools.className = "live-tools";
    tools.append(...this.buttons, this.count);
    this.slot = document.createElement("div");
    this.slot.className = "live-output cell_output";  // styled as the built outputs are
    (details ?? input).after(tools, this.slot);
    this.alt = element.querySelector(".cell_output img")?.alt;
    this.built = this.box.value;
    this.output = new Output(this.slot);
  }

  // Coloured code makes room for a plain box, in which every browser can edit.
  edit(at = 0) {
    this.fit();
    this.pre.hidden = true;
    this.box.hidden = false;
    this.box.focus();
    this.box.setSelectionRange(at, at);
  }

  fit() {
    this.pre.textContent = this.box.value;  // what the button to copy takes
    this.box.rows = this.box.value.split("\n").length;
  }

  async run() {
    const { page } = this;
    if (!page.kernel) return { status: "aborted" };
    this.dropBuilt();
    this.output.clear();
    this.output.alt = this.box.value === this.built && this.alt ? this.alt
      : `Figure of cell ${this.number}, as it now stands`;
    this.count.textContent = "[*]";
    page.current = this;
    const reply = await page.kernel.run(this.box.value, (type, content) =>
      this.output.message(type, content));
    this.ran = reply.status === "ok";
    this.count.textContent = reply.execution_count ? `[${reply.execution_count}]` : "";
    return reply;
  }

  forget() {
    this.ran = false;
    this.count.textContent = "";
  }

  // The new output takes the place of the built one, of which a figure's caption stays.
  dropBuilt() {
    const built = this.element.querySelector(":scope > .cell_output:not(.live-output)");
    for (const child of built?.children ?? []) {
      const caption = child.matches("figure") && child.querySelector("figcaption");
      if (caption) child.replaceChildren(caption);
    }
    for (const child of [...(built?.children ?? [])]) if (!child.matches("figure")) child.remove();
  }
}

// How many characters of the element stand before the point that was clicked.
function caret(element) {
  const selection = getSelection();
  const range = document.createRange();
  range.selectNodeContents(element);
  if (!element.contains(selection.anchorNode)) return 0;
  range.setEnd(selection.anchorNode, selection.anchorOffset);
  return range.toString().length;
}
