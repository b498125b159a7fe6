// A look at what a reference points to (theorem, equation, figure, citation), under the pointer
// or at keyboard focus. Everything comes from this site; Escape closes it; a finger follows links.
(() => {
  const shown = ".proof, .exercise, .solution, .citation, div.math, figure, table";
  const pages = new Map();
  let box, link, timer;

  function page(address) {
    if (address === location.href.split("#")[0]) return Promise.resolve(document);
    if (!pages.has(address)) {
      const parse = (text) => new DOMParser().parseFromString(text, "text/html");
      pages.set(address, fetch(address).then((answer) => answer.text()).then(parse));
    }
    return pages.get(address);
  }

  // The statement at the end of the link, without its names, with addresses that work from here.
  async function target(anchor) {
    const [address, name] = anchor.href.split("#");
    if (!name) return null;
    const source = await page(address);
    let found = source.getElementById(decodeURIComponent(name));
    if (found?.matches("span")) found = found.closest(shown) || found.nextElementSibling;
    if (!found?.matches(shown)) return null;
    const copy = document.importNode(found, true);
    for (const part of [copy, ...copy.querySelectorAll("*")]) {
      part.removeAttribute("id");
      part.removeAttribute("tabindex");
      for (const key of ["src", "href"]) {
        const value = part.getAttribute(key);
        if (value) part.setAttribute(key, new URL(value, address));
      }
      if (part.matches("img")) part.loading = "eager";
    }
    for (const mark of copy.querySelectorAll(".headerlink, .backrefs")) mark.remove();
    return copy;
  }

  async function show(anchor) {
    const copy = await target(anchor).catch(() => null);
    if (!copy || link !== anchor) return;
    box ??= make();
    box.replaceChildren(copy);
    if (!copy.querySelector("mjx-container")) await window.MathJax?.typesetPromise?.([box]);
    if (link !== anchor) return;
    box.hidden = false;
    anchor.setAttribute("aria-describedby", box.id);
    const place = anchor.getBoundingClientRect();
    const below = place.bottom + box.offsetHeight + 8 < innerHeight || place.top < innerHeight / 2;
    const left = Math.min(place.left, document.documentElement.clientWidth - box.offsetWidth - 8);
    box.style.left = `${Math.max(8, left) + scrollX}px`;
    box.style.top = `${(below ? place.bottom + 4 : place.top - box.offsetHeight - 4) + scrollY}px`;
  }

  function make() {
    const made = document.createElement("div");
    Object.assign(made, { id: "preview", className: "bd-article", hidden: true });
    made.setAttribute("role", "tooltip");
    made.addEventListener("mouseenter", () => clearTimeout(timer));
    made.addEventListener("mouseleave", hideSoon);
    document.querySelector("main").append(made);
    return made;
  }

  function hide() {
    clearTimeout(timer);
    link?.removeAttribute("aria-describedby");
    link = undefined;
    if (box) box.hidden = true;
  }
  function hideSoon() {
    clearTimeout(timer);
    timer = setTimeout(hide, 250);
  }
  function soon(event) {
    const anchor = event.target.closest?.(".bd-article a.reference.internal[href*='#']");
    if (!anchor || anchor.closest("#preview")) return;
    if (anchor === link) return clearTimeout(timer);
    hide();
    link = anchor;
    timer = setTimeout(show, 200, anchor);
  }

  if (matchMedia("(hover: hover)").matches) {
    document.addEventListener("mouseover", soon);
    document.addEventListener("mouseout", (event) => {
      if (link && event.target.closest?.("a") === link) hideSoon();
    });
  }
  document.addEventListener("focusin", (event) => {
    if (event.target.matches(":focus-visible")) soon(event);
  });
  document.addEventListener("focusout", (event) => event.target === link && hideSoon());
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
})();
