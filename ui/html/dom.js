// SPDX-License-Identifier: Apache-2.0
// Elements. Names come from the traced program and are never trusted: they become text nodes only.

function el(name, properties, ...children) {
  const made = document.createElement(name);
  for (const key in properties || {}) {
    const value = properties[key];
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, String(value));
  }
  for (const child of children.flat(Infinity))
    if (child !== null && child !== undefined) made.append(child instanceof Node ? child : document.createTextNode(String(child)));
  return made;
}

// Replaces what stands in an element.
function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter(child => child !== null && child !== undefined));
  return element;
}

// One of several: a group of buttons.
function chooser(label, choices, chosen, choose) {
  return el("div", { class: "chooser", role: "group", "aria-label": label }, choices.map(([key, text, title]) =>
    el("button", { type: "button", title, "data-key": key, "aria-pressed": String(key === chosen), onclick: () => choose(key) }, text)));
}

// A canvas of the width of its box, sharp on any screen. Returns what draws on it.
function sized(canvas, height) {
  const width = Math.max(200, canvas.parentElement.clientWidth), scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

function themeColor(name) { return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim(); }

const tip = el("div", { class: "tip", role: "status", hidden: true });
function showTip(x, y, title, lines) {
  fill(tip, el("b", null, title), lines.map(line => el("div", null, line)));
  tip.hidden = false;
  const box = tip.getBoundingClientRect(), width = document.documentElement.clientWidth;
  tip.style.left = Math.max(4, Math.min(x + 14, width - box.width - 4)) + window.scrollX + "px";
  tip.style.top = (y + 18 + box.height > window.innerHeight ? Math.max(4, y - box.height - 10) : y + 18) + window.scrollY + "px";
}
function hideTip() { tip.hidden = true; }

// A bar chart or a line of a few dozen numbers, as an SVG that is only a picture.
function sparkline(numbers, width, height) {
  const space = "http://www.w3.org/2000/svg", svg = document.createElementNS(space, "svg"), path = document.createElementNS(space, "path");
  let most = 0;
  for (const number of numbers) if (number > most) most = number;
  let line = "";
  for (let i = 0; i < numbers.length; i++) {
    const x = numbers.length > 1 ? i * width / (numbers.length - 1) : 0, y = most ? height - 1 - numbers[i] / most * (height - 2) : height - 1;
    line += (i ? "L" : "M") + x.toFixed(1) + " " + y.toFixed(1);
  }
  path.setAttribute("d", line);
  svg.setAttribute("viewBox", "0 0 " + width + " " + height);
  svg.setAttribute("class", "spark");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return svg;
}
