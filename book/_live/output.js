// What a kernel sends, as the page shows it: one slot per cell, in the order of arrival.

const RICHEST = ["image/svg+xml", "image/png", "image/jpeg", "text/html", "text/latex",
                 "text/plain"];

export class Output {
  constructor(slot) {
    Object.assign(this, { slot, alt: "", shown: new Map() });
    this.clear();
  }

  clear() {
    this.slot.replaceChildren();
    this.stream = null;
    this.pending = false;
  }

  message(type, content) {
    if (type === "clear_output") {
      if (content.wait) this.pending = true;
      else this.clear();
      return;
    }
    if (type === "update_display_data") {
      const old = this.shown.get(content.transient?.display_id);
      if (old) old.replaceChildren(...this.rich(content.data));
      return;
    }
    if (!["stream", "display_data", "execute_result", "error"].includes(type)) return;
    if (this.pending) this.clear();
    if (type === "stream") return this.text(content);
    this.stream = null;
    if (type === "error") return this.add("error", pre(content.traceback.join("\n")));
    const box = this.add("rich", ...this.rich(content.data));
    if (content.transient?.display_id) this.shown.set(content.transient.display_id, box);
  }

  add(kind, ...children) {
    const box = document.createElement("div");
    box.className = `live-${kind}`;
    box.append(...children);
    this.slot.append(box);
    return box;
  }

  // Pieces of one stream form one text, in which a carriage return starts the line again.
  text({ name, text }) {
    if (this.stream?.name !== name) this.stream = { name, text: "", box: this.add(name) };
    this.stream.text += text;
    this.stream.text = this.stream.text.replace(/\r+\n/g, "\n").replace(/[^\n]*\r(?=[^\r\n])/g, "");
    this.stream.box.replaceChildren(pre(this.stream.text));
  }

  rich(data) {
    const type = RICHEST.find((name) => name in data);
    if (!type) return [];
    const value = [].concat(data[type]).join("");
    if (type.startsWith("image/")) {
      const image = new Image();
      image.alt = this.alt;
      image.className = "dark-light figure-theme";
      image.src = type === "image/svg+xml"
        ? `data:${type};charset=utf-8,${encodeURIComponent(value)}`
        : `data:${type};base64,${value}`;
      return [image];
    }
    if (type === "text/plain") return [pre(value)];
    const box = document.createElement("div");
    if (type === "text/html") box.innerHTML = value;
    else box.textContent = value;
    box.className = "output text_html";
    window.MathJax?.typesetPromise?.([box]);
    return [box];
  }
}

// Text with the terminal's colours. The eight basic colours are left to the style sheet.
function pre(text) {
  const box = document.createElement("pre");
  let style = { classes: new Set(), color: "" };
  for (const piece of text.split(/(\x1b\[[\d;]*[A-Za-z])/)) {
    const code = piece.match(/^\x1b\[([\d;]*)([A-Za-z])$/);
    if (!code) {
      if (!piece) continue;
      const span = document.createElement("span");
      span.textContent = piece;
      span.className = [...style.classes].join(" ");
      box.append(span);
    } else if (code[2] === "m") {
      paint(style, code[1].split(";").map(Number));
    }
  }
  return box;
}

function paint({ classes }, codes) {
  const recolour = (name) => {
    for (const old of [...classes]) if (old.startsWith("ansi-c")) classes.delete(old);
    if (name !== null) classes.add(`ansi-c${name}`);
  };
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) classes.clear();
    else if (code === 1) classes.add("ansi-bold");
    else if (code === 22) classes.delete("ansi-bold");
    else if (code >= 30 && code <= 37) recolour(code - 30);
    else if (code >= 90 && code <= 97) recolour(code - 90);
    else if (code === 39) recolour(null);
    else if (code === 38 || code === 48) {
      if (code === 38 && codes[i + 1] === 5) recolour(basic(codes[i + 2]));
      i += codes[i + 1] === 5 ? 2 : 4;
    }
  }
}

// The nearest of the eight basic colours to one of the 256.
function basic(number) {
  if (number < 16) return number % 8;
  if (number > 231) return number < 244 ? 0 : 7;
  const [r, g, b] = [36, 6, 1].map((unit) => Math.floor((number - 16) / unit) % 6);
  const most = Math.max(r, g, b, 1);
  return (r > most / 2) + 2 * (g > most / 2) + 4 * (b > most / 2);
}
