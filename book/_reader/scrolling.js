// What is wider than its box can be scrolled by keyboard, and only that stops the tab key.
// (A browser stops at every box that may scroll, even by a fraction of a pixel.)
(() => {
  const kinds =
    "figure, mjx-container, .pst-scrollable-table-container, div.highlight pre, .output pre";
  const isWide = (box) =>
    box.scrollWidth > box.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(box).overflowX);

  function mark() {
    // Three passes, so that the page is laid out once and not once for each formula.
    const boxes = [...document.querySelectorAll(`.bd-article :is(${kinds})`)];
    for (const box of boxes) box.style.overflow = "";
    const wide = boxes.map(isWide);
    boxes.forEach((box, index) => {
      if (wide[index]) {
        box.tabIndex = 0;
      } else {
        box.removeAttribute("tabindex");
        if (box.matches("mjx-container")) box.style.overflow = "visible";
      }
    });
  }

  addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    await document.fonts.ready;
    mark();
  });
  addEventListener("resize", mark);
  addEventListener("toggle", mark, true); // a hidden cell was opened
})();
