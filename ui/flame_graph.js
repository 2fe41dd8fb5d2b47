// SPDX-License-Identifier: Apache-2.0
// Draws the flame graph from the data in the file, for the window's width. Names come from the traced
// program and are never trusted: they become text nodes only.
(function () {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg", HTML = "http://www.w3.org/1999/xhtml";
  const svg = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);
  const ROW = 18, TOP = 88, MARGIN = 10, LEGEND_ROWS = Math.ceil(data.legend.length / 4),
    FOOT = 26 + 18 * (LEGEND_ROWS + data.notes.length);
  const INLINED = 1, SMALL = 2, NARROW_PX = 0.4;

  function element(space, name, attributes, parent) {
    const made = document.createElementNS(space, name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (parent) parent.appendChild(made);
    return made;
  }

  // The tree: data.frames holds 8 numbers a frame, parents before children, heaviest child first.
  function makeNode(parent, like) {
    const node = Object.assign({}, like);
    node.parent = parent;
    node.depth = parent ? parent.depth + 1 : 0;
    node.children = [];
    if (parent) parent.children.push(node);
    return node;
  }
  function readTree() {
    const path = [];
    for (let i = 0; i < data.frames.length; i += 8) {
      const [depth, name, module, file, line, value, self, flags] = data.frames.slice(i, i + 8);
      path[depth] = makeNode(depth ? path[depth - 1] : null,
        { name, module, file, line, value, self, flags, weight: data.weights ? data.weights[i / 8] : value });
    }
    return path[0];
  }

  // The same stacks merged from the leaf: below each asking function stand its callers.
  function callersTree(root) {
    const top = makeNode(null, root);
    top.self = 0;
    const same = new Map();
    function below(parent, like) {
      let known = same.get(parent);
      if (!known) same.set(parent, known = new Map());
      const key = like.name + "/" + like.module + "/" + like.file + "/" + like.flags;
      let node = known.get(key);
      if (!node) {
        node = makeNode(parent, like);
        node.value = node.self = node.weight = 0;
        known.set(key, node);
      }
      return node;
    }
    forEach(root, leaf => {
      const own = leaf.weight - leaf.children.reduce((sum, child) => sum + child.weight, 0);
      if (leaf === root || own <= 0) return;
      let at = top;
      for (let node = leaf; node.parent; node = node.parent) {
        at = below(at, node);
        at.value += leaf.self;
        at.weight += own;
      }
      at.self += leaf.self;
    });
    forEach(top, node => node.children.sort((a, b) => b.weight - a.weight));
    return top;
  }
  function forEach(node, visit) {
    const open = [node];
    while (open.length) {
      const next = open.pop();
      visit(next);
      for (let i = next.children.length - 1; i >= 0; i--) open.push(next.children[i]);
    }
  }
  function place(root) {
    let deepest = 0;
    root.start = 0;
    forEach(root, node => {
      deepest = Math.max(deepest, node.depth);
      let start = node.start;
      for (const child of node.children) {
        child.start = start;
        start += child.weight;
      }
    });
    root.deepest = deepest;
    return root;
  }

  function grouped(number) { return String(number).replace(/\B(?=(\d{3})+(?!\d))/g, ","); }
  function amount(value) {
    const sign = value < 0 ? "-" : data.difference && value > 0 ? "+" : "";
    let size = Math.abs(value);
    if (data.unit === "bytes") {
      const exact = size;
      let unit = 0;
      while (size >= 1023.95 && unit < 5) { size /= 1024; unit++; }
      const short = sign + (unit ? size.toFixed(1) : size) + " " + ["B", "KB", "MB", "GB", "TB", "PB"][unit];
      return unit ? short + " (" + sign + grouped(exact) + ")" : short;
    }
    if (data.unit === "nanoseconds") {
      const [scale, unit] = size < 1e3 ? [1, "ns"] : size < 1e6 ? [1e3, "us"] : size < 1e9 ? [1e6, "ms"] : [1e9, "s"];
      return sign + (scale === 1 ? size : (size / scale).toFixed(1)) + " " + unit;
    }
    return sign + grouped(size) + (data.unit && data.unit !== "count" ? " " + data.unit : "");
  }
  function percent(part, whole) { return whole ? (100 * part / whole).toFixed(part / whole < 0.0995 ? 2 : 1) + " %" : "0 %"; }

  const trees = { calls: place(readTree()), callers: null };
  let root = trees.calls, zoom = root, focus = null, bottom = data.rootAtBottom, pattern = null, byNode = new Map();
  const charWidth = measure();

  function measure() {
    const probe = element(SVG, "text", { visibility: "hidden" }, svg);
    probe.textContent = "M".repeat(100);
    const width = probe.getComputedTextLength() / 100;
    probe.remove();
    return width || 7.2;
  }

  document.getElementById("static").remove();
  svg.removeAttribute("viewBox");
  const layer = element(SVG, "g", { id: "frames" }, svg);
  const foot = element(SVG, "g", { id: "legend" }, svg);
  const bar = element(SVG, "foreignObject", { x: MARGIN, y: 6, height: TOP - 8 }, svg);
  const tipBox = element(SVG, "foreignObject", { width: 1, height: 1, visibility: "hidden", style: "overflow: visible; pointer-events: none" }, svg);
  const tip = element(HTML, "div", { class: "ui tip" }, tipBox);

  const ui = element(HTML, "div", { class: "ui" }, bar);
  const head = element(HTML, "div", { class: "head" }, ui);
  element(HTML, "h1", { title: data.title }, head).textContent = data.title;
  element(HTML, "span", { class: "about", title: data.subtitle }, head).textContent = data.subtitle;
  const controls = element(HTML, "div", { class: "row" }, ui);
  const input = element(HTML, "input", { type: "search", placeholder: "search: regular expression", "aria-label": "search functions", id: "search" }, controls);
  function button(label, title, action, id) {
    const made = element(HTML, "button", { type: "button", title, id }, controls);
    made.textContent = label;
    made.addEventListener("click", action);
    return made;
  }
  const invertButton = button("Root at bottom", "flame or icicle (i)", invert, "invert");
  const callersButton = button("Callers", "merge from the asking function towards main (c)", toggleCallers, "callers");
  button("?", "keys (?)", help, "help");
  const resetButton = button("Reset zoom", "whole graph (Esc)", () => zoomTo(root), "reset");
  const matched = element(HTML, "span", { id: "matched", "aria-live": "polite" }, controls);
  const path = element(HTML, "div", { class: "row path", id: "path", "aria-label": "path to the zoomed frame" }, ui);
  let helpBox = null;

  function width() { return Math.max(320, window.innerWidth || 1200) - 2 * MARGIN; }
  function rowY(depth) { return TOP + (bottom ? root.deepest - depth : depth) * ROW; }
  function nameOf(node) { return data.names[node.name]; }
  function moduleOf(node) { return node.module >= 0 ? data.modules[node.module].name : ""; }
  function whereOf(node) {
    const file = node.file >= 0 ? data.files[node.file] : "";
    return file && node.line ? file + ":" + node.line : file;
  }
  function isFound(node) { return pattern && !(node.flags & SMALL) && node !== root && pattern.test(nameOf(node)); }

  function colourOf(node) {
    if (data.difference) {
      const step = node.weight ? Math.round(5 * node.value / node.weight) : 0;
      return step > 0 ? "g" + step : step < 0 ? "l" + -step : "g0";
    }
    const colour = node.module >= 0 ? data.modules[node.module].colour : 8;
    return "c" + colour + " s" + data.shades[node.name];
  }

  function draw() {
    const full = width();
    svg.setAttribute("width", full + 2 * MARGIN);
    const graphHeight = (root.deepest + 1) * ROW;
    svg.setAttribute("height", TOP + graphHeight + FOOT);
    bar.setAttribute("width", full);
    layer.textContent = "";
    byNode = new Map();
    const scale = zoom.weight ? full / zoom.weight : 0;
    const ancestors = new Set();
    for (let node = zoom.parent; node; node = node.parent) {
      ancestors.add(node);
      drawFrame(node, MARGIN, full, true);
    }
    const open = [zoom];
    while (open.length) {
      const node = open.pop(), w = node.weight * scale;
      if (w < NARROW_PX) continue;
      drawFrame(node, MARGIN + (node.start - zoom.start) * scale, w, false);
      for (let i = node.children.length - 1; i >= 0; i--) open.push(node.children[i]);
    }
    drawLegend(full, TOP + graphHeight);
    drawPath();
    invertButton.setAttribute("aria-pressed", bottom);
    callersButton.setAttribute("aria-pressed", root === trees.callers);
    resetButton.style.display = zoom === root ? "none" : "";
  }
  function drawFrame(node, x, w, above) {
    const y = rowY(node.depth);
    const state = (node.flags & INLINED ? " inlined" : "") + (above ? " above" : "") +
      (pattern && !above ? isFound(node) ? " found" : " faded" : "") + (node === focus ? " focus" : "");
    const frame = element(SVG, "g", { class: "f" + state }, layer);
    frame.node = node;
    byNode.set(node, frame);
    element(SVG, "rect", { x: x.toFixed(2), y, width: (w > 2 ? w - 0.6 : w).toFixed(2), height: ROW - 1, rx: 1, class: colourOf(node) }, frame);
    const label = w < 3 * charWidth ? "" : shorten(nameOf(node), Math.floor((w - 6) / charWidth));
    if (label) element(SVG, "text", { x: (x + 3).toFixed(2), y: y + 13 }, frame).textContent = label;
  }
  function drawLegend(full, y) {
    foot.textContent = "";
    const column = full / 4;
    data.legend.forEach((entry, i) => {
      const x = MARGIN + (i % 4) * column, top = y + 8 + 18 * Math.floor(i / 4);
      element(SVG, "rect", { class: "swatch " + entry.css, x, y: top, width: 14, height: 12 }, foot);
      element(SVG, "text", { x: x + 20, y: top + 11 }, foot).textContent = shorten(entry.name, Math.floor((column - 30) / charWidth));
    });
    data.notes.forEach((note, i) => {
      const text = element(SVG, "text", { class: "dim", x: MARGIN, y: y + 24 + 18 * (LEGEND_ROWS + i) }, foot);
      text.textContent = note;
    });
  }
  function drawPath() {
    path.textContent = "";
    const steps = [];
    for (let node = zoom; node; node = node.parent) steps.unshift(node);
    const shown = steps.length > 7 ? [steps[0], null].concat(steps.slice(-5)) : steps;
    shown.forEach((node, i) => {
      if (i) element(HTML, "span", {}, path).textContent = "›";
      if (!node) { element(HTML, "span", {}, path).textContent = "…"; return; }
      const step = element(HTML, "button", { type: "button", title: nameOf(node) }, path);
      step.textContent = shorten(nameOf(node), 40);
      step.addEventListener("click", () => zoomTo(node));
    });
    element(HTML, "span", {}, path).textContent = " " + amount(zoom.value) + ", " + percent(zoom.weight, root.weight);
  }

  function zoomTo(node) {
    zoom = node;
    hideTip();
    draw();
  }
  function invert() { bottom = !bottom; draw(); }
  function toggleCallers() {
    if (!trees.callers) trees.callers = place(callersTree(trees.calls));
    root = root === trees.calls ? trees.callers : trees.calls;
    focus = null;
    zoom = root;
    search();
  }

  // Matched share: a frame inside a matched frame is not counted again.
  function search() {
    const text = input.value;
    input.classList.remove("bad");
    matched.textContent = "";
    pattern = null;
    if (text) {
      try {
        pattern = new RegExp(text, /[A-Z]/.test(text) ? "" : "i");
      } catch (error) {
        input.classList.add("bad");
        matched.textContent = "not a regular expression";
      }
    }
    if (pattern) {
      let weight = 0, value = 0, frames = 0;
      const open = [root];
      const inside = new Set();
      while (open.length) {
        const node = open.pop();
        const hit = isFound(node), covered = node.parent && inside.has(node.parent);
        if (hit) frames++;
        if (hit && !covered) { weight += node.weight; value += node.value; }
        if (hit || covered) inside.add(node);
        for (const child of node.children) open.push(child);
      }
      matched.textContent = frames ? percent(weight, root.weight) + " matched: " + amount(value) + " in " + grouped(frames) + " frames" : "no match";
    }
    draw();
  }

  function showTip(node, x, y) {
    tip.textContent = "";
    const lines = [];
    const where = whereOf(node), module = moduleOf(node);
    if (where) lines.push(where);
    if (module) lines.push(module);
    if (node.flags & INLINED) lines.push("inlined into its caller");
    lines.push(amount(node.value) + " " + data.type);
    lines.push(percent(node.weight, root.weight) + " of all" +
      (node.parent && node.parent !== root ? ", " + percent(node.weight, node.parent.weight) + " of its parent" : ""));
    if (node.self && node.self !== node.value) lines.push("self " + amount(node.self));
    element(HTML, "b", {}, tip).textContent = nameOf(node);
    element(HTML, "div", {}, tip).textContent = lines.join("\n");
    const room = Math.min(560, width());
    tip.style.width = "max-content";
    tip.style.maxWidth = room + "px";
    tipBox.setAttribute("visibility", "visible");
    tipBox.setAttribute("width", room);
    const size = tip.getBoundingClientRect();
    const scrollX = window.scrollX || 0, scrollY = window.scrollY || 0;
    let left = x + 14, top = y + 16;
    if (left + size.width > window.innerWidth) left = Math.max(0, window.innerWidth - size.width - 4);
    if (top + size.height > window.innerHeight) top = Math.max(0, y - size.height - 10);
    tipBox.setAttribute("x", left + scrollX);
    tipBox.setAttribute("y", top + scrollY);
    tipBox.setAttribute("height", Math.ceil(size.height) + 4);
  }
  function hideTip() { tipBox.setAttribute("visibility", "hidden"); }

  const KEYS = "/          search\nEnter      zoom into the focused frame\nBackspace  zoom out by one\nEsc        close, clear the search, reset the zoom\n" +
    "arrows     move the focus\nn          zoom to the next match\ni          root at the bottom or at the top\nc          callers of the asking functions";
  function help() {
    if (helpBox) { helpBox.remove(); helpBox = null; return; }
    helpBox = element(SVG, "foreignObject", { x: MARGIN + 40, y: TOP + 6, width: 480, height: 190 }, svg);
    element(HTML, "div", { class: "ui help" }, helpBox).textContent = KEYS;
  }

  function frameAt(event) {
    const frame = event.target.closest ? event.target.closest(".f") : null;
    return frame ? frame.node : null;
  }
  layer.addEventListener("click", event => { const node = frameAt(event); if (node) { focus = node; zoomTo(node); } });
  layer.addEventListener("mousemove", event => { const node = frameAt(event); if (node) showTip(node, event.clientX, event.clientY); else hideTip(); });
  layer.addEventListener("mouseleave", hideTip);
  input.addEventListener("input", search);
  window.addEventListener("resize", draw);

  function setFocus(node) {
    if (!node) return;
    focus = node;
    if (!byNode.has(node)) zoom = node;
    draw();
    const frame = byNode.get(node);
    if (!frame) return;
    frame.scrollIntoView({ block: "nearest" });
    const box = frame.getBoundingClientRect();
    showTip(node, Math.max(0, box.left), box.bottom - 14);
  }
  function sibling(node, step) {
    const row = node.parent ? node.parent.children : [node];
    return row[row.indexOf(node) + step];
  }
  function nextMatch() {
    if (!pattern) return;
    let first = null, next = null, passed = false;
    forEach(root, node => {
      if (passed && !next && isFound(node)) next = node;
      if (!first && isFound(node)) first = node;
      if (node === focus) passed = true;
    });
    const target = next || first;
    if (!target) return;
    focus = target;
    zoomTo(target);
  }
  function escape() {
    if (helpBox) return help();
    if (input.value) { input.value = ""; return search(); }
    zoomTo(root);
  }
  window.addEventListener("keydown", event => {
    if (event.key === "Escape") { input.blur(); return escape(); }
    if (event.target === input || event.ctrlKey || event.altKey || event.metaKey) return;
    const at = focus || zoom, away = bottom ? "ArrowUp" : "ArrowDown", back = bottom ? "ArrowDown" : "ArrowUp";
    const actions = {
      "/": () => input.focus(), i: invert, c: toggleCallers, n: nextMatch, "?": help,
      Backspace: () => { if (zoom.parent) zoomTo(zoom.parent); },
      ArrowLeft: () => setFocus(sibling(at, -1)), ArrowRight: () => setFocus(sibling(at, 1)),
      [away]: () => setFocus(at.children[0]), [back]: () => setFocus(at.parent),
    };
    const action = event.key === "Enter" && event.target.tagName !== "button" ? () => zoomTo(at) : actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });

  draw();
})();
