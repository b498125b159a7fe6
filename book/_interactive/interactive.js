// Figures with sliders: draw the frame of the chosen settings, and say it in words.
// What a figure consists of is told by drawing.py, which draws the still picture in the same way.
"use strict";
(() => {
  const number = (value) => String(Math.floor(value * 10 + 0.5) / 10 + 0);

  function element([kind, look, xs, ys, words], [left, right, low, high], [width, height], numbers) {
    const points = numbers[xs].map((x, i) => {
      const y = numbers[ys][i];
      if (x === null || y === null) return null;
      return [
        number(((x - left) / (right - left)) * width),
        number((1 - (y - low) / (high - low)) * height),
      ];
    });
    const made = document.createElementNS("http://www.w3.org/2000/svg", words ? "text" : "path");
    if (words) {
      made.setAttribute("class", look);
      made.setAttribute("x", points[0][0]);
      made.setAttribute("y", points[0][1]);
      made.textContent = words;
      return made;
    }
    let d = "", down = false;
    for (const point of points) {
      if (point) d += (down ? "L" : "M") + point.join(" ") + (kind === "dots" ? "h0" : "");
      down = Boolean(point) && kind === "line";
    }
    made.setAttribute("class", `${kind} ${look}`);
    made.setAttribute("d", d);
    return made;
  }

  function start(figure, data) {
    const find = (selector) => [...figure.querySelectorAll(selector)];
    const sliders = find("input"), outputs = find("output"), groups = find("g.moving");
    const [says] = find(".says"), [play] = find(".play"), last = sliders[sliders.length - 1];
    const playName = play.textContent;
    let timer = null;

    function show() {
      let index = 0;
      sliders.forEach((slider, i) => {
        const name = data.settings[i][slider.value];
        index = index * data.settings[i].length + Number(slider.value);
        outputs[i].textContent = name;
        slider.setAttribute("aria-valuetext", name);
      });
      groups.forEach((group, i) => {
        const layers = data.frames[index][i].map((layer) => data.layers[layer]);
        const draw = (layer) => element(layer, data.panels[i], data.inner, data.numbers);
        group.replaceChildren(...layers.map(draw));
      });
      says.textContent = data.says[index];
    }

    function stop() {
      clearInterval(timer);
      timer = null;
      play.textContent = playName;
      says.setAttribute("aria-live", "polite");
    }

    function step() {
      if (last.value === last.max) return stop();
      last.stepUp();
      show();
    }

    play.addEventListener("click", () => {
      if (timer !== null) return stop();
      if (last.value === last.max) last.value = 0;
      show();
      says.setAttribute("aria-live", "off"); // not a word for each frame
      play.textContent = play.dataset.stop;
      timer = setInterval(step, 300);
    });
    for (const slider of sliders) {
      slider.addEventListener("input", () => { stop(); show(); });
    }
    says.setAttribute("aria-live", "polite");
    play.hidden = matchMedia("(prefers-reduced-motion: reduce)").matches;
    find(".controls")[0].hidden = false;
  }

  window.interactiveFigure = (name, data) =>
    start(document.querySelector(`.interactive[data-name="${name}"]`), data);

  // The numbers are loaded when the reader comes near.
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      const script = document.createElement("script");
      script.src = target.dataset.source;
      document.head.append(script);
    }
  }, { rootMargin: "1000px" });
  document.querySelectorAll(".interactive[data-source]").forEach((figure) => near.observe(figure));
})();
