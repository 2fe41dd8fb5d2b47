// SPDX-License-Identifier: Apache-2.0
// The flame graph of what is chosen, on a canvas. Frames too narrow to be seen are not looked at.

const ROW_PX = 19, NARROW_PX = 0.5, COLORED_MODULES = 8;

class Flame {
  constructor(page) {
    this.page = page;
    this.canvas = el("canvas", { tabindex: "0", role: "img", id: "flame-canvas" });
    this.path = el("div", { class: "path", id: "path", "aria-label": "Path to the zoomed frame" });
    this.said = el("p", { class: "visually-hidden", "aria-live": "polite", id: "flame-said" });
    this.legend = el("div", { class: "legend", id: "flame-legend" });
    this.toggles = el("div", { class: "row" });
    this.element = el("section", { id: "flame", "aria-label": "Flame graph" }, el("h2", null, "Flame graph"), this.toggles, this.path,
      el("div", { class: "canvas-box" }, this.canvas), this.legend, this.said);
    this.canvas.addEventListener("mousemove", event => this.hover(event));
    this.canvas.addEventListener("mouseleave", hideTip);
    this.canvas.addEventListener("click", event => this.click(event));
    this.canvas.addEventListener("keydown", event => this.key(event));
    this.frames = [];
  }

  show() {
    const { model, state, rows, values } = this.page;
    const nodes = Array.from(rows.site, site => site < 0 ? -1 : state.library && !state.callers ? model.leaf[site] : model.asks[site]);
    this.root = (state.callers ? callersTree : callTree)(model, rows, values, state.callers ? nodes.map(node => node) : nodes);
    this.zoom = this.root;
    this.focus = null;
    this.colors = this.moduleColors();
    const press = (key, text, title) => el("button", { type: "button", id: key, title, "aria-pressed": String(state[key]), onclick: () => this.page.set({ [key]: !state[key] }) }, text);
    fill(this.toggles, press("callers", "Callers", "from each asking function towards main (c)"),
      state.callers ? null : press("library", "Library frames", "show allocators and standard containers below the call site (l)"),
      el("span", { class: "dim" }, this.sumText()));
    this.draw();
  }

  sumText() {
    const { state } = this.page, view = this.page.view();
    const sum = valueText(this.root.value, state.unit, view.signed);
    return this.root.weight ? sum + (view.signed ? " in total, changes of " + valueText(this.root.weight, state.unit) : " in total") : "Nothing to show: every value is 0.";
  }

  // The modules that cover most have a color each, those that weigh nothing none.
  moduleColors() {
    const { model } = this.page, weights = new Map(), open = [this.root], least = this.root.weight / 1000;
    for (let steps = 0; open.length && steps < 20000; steps++) {
      const node = open.pop();
      if (node.frame >= 0) {
        const module = model.frames.module[node.frame];
        weights.set(module, (weights.get(module) || 0) + node.weight);
      }
      for (const child of childrenOf(this.root, node)) if (child.weight > least) open.push(child);
    }
    return new Map(Array.from(weights).sort((a, b) => b[1] - a[1]).slice(0, COLORED_MODULES).map(([module], i) => [module, i]));
  }

  colorOf(node) {
    const { model, state } = this.page;
    if (this.page.view().signed) {
      const ratio = node.weight ? node.value / node.weight : 0;
      return themeColor(ratio > 0.1 ? "grew" : ratio < -0.1 ? "shrank" : "c8");
    }
    const color = node.frame < 0 ? undefined : this.colors.get(model.frames.module[node.frame]);
    return themeColor("c" + (color === undefined ? 8 : color));
  }

  // What is wide enough to be drawn, from the zoomed frame on, its ancestors above it.
  laidOut(width) {
    const frames = [], above = [];
    for (let node = this.zoom.parent; node; node = node.parent) above.unshift(node);
    above.forEach((node, row) => frames.push({ node, x: 0, w: width, row, above: true }));
    const open = [{ node: this.zoom, x: 0, w: width, row: above.length }];
    while (open.length) {
      const frame = open.pop();
      frames.push(frame);
      let x = frame.x;
      for (const node of childrenOf(this.root, frame.node)) {
        const w = frame.node.weight ? node.weight / frame.node.weight * frame.w : 0;
        if (w < NARROW_PX) break;
        open.push({ node, x, w, row: frame.row + 1 });
        x += w;
      }
    }
    return frames;
  }

  draw() {
    const box = this.canvas.parentElement, frames = this.laidOut(Math.max(200, box.clientWidth));
    const rows = 1 + frames.reduce((most, frame) => Math.max(most, frame.row), 0), { pen } = sized(this.canvas, rows * ROW_PX + 2);
    this.frames = frames;
    pen.font = "12px ui-monospace, Menlo, Consolas, monospace";
    const charPx = pen.measureText("M").width, colors = new Map(), text = themeColor("text");
    for (const frame of frames) {
      const { node, x, w, row } = frame, y = row * ROW_PX, key = node.frame < 0 ? -1 : this.page.view().signed ? node : this.page.model.frames.module[node.frame];
      if (!colors.has(key)) colors.set(key, this.colorOf(node));
      pen.globalAlpha = frame.above ? 0.5 : 1;
      pen.fillStyle = colors.get(key);
      pen.fillRect(x, y, w > 2 ? w - 0.7 : w, ROW_PX - 1);
      if (node === this.focus) {
        pen.strokeStyle = themeColor("strong");
        pen.lineWidth = 2;
        pen.strokeRect(x + 1, y + 1, Math.max(1, w - 2.7), ROW_PX - 3);
      }
      const label = w < 4 * charPx ? "" : shorten(node.name, Math.floor((w - 6) / charPx));
      if (!label) continue;
      pen.fillStyle = text;
      pen.font = (node.frame >= 0 && this.page.model.frames.flags[node.frame] & INLINED ? "italic " : "") + "12px ui-monospace, Menlo, Consolas, monospace";
      pen.fillText(label, x + 3, y + 13.5);
    }
    pen.globalAlpha = 1;
    this.drawPath();
    this.drawLegend();
    this.canvas.setAttribute("aria-label", "Flame graph of " + this.page.view().title.toLowerCase() + " memory, " + this.sumText() + ". Arrow keys move, Enter zooms.");
  }

  drawPath() {
    const steps = [];
    for (let node = this.zoom; node; node = node.parent) steps.unshift(node);
    const shown = steps.length > 6 ? [steps[0], null].concat(steps.slice(-4)) : steps;
    fill(this.path, shown.map((node, i) => [i ? " › " : "", node ? el("button", { type: "button", class: "link", title: node.name, onclick: () => { this.focus = node; this.zoomTo(node); } }, shorten(node.name, 40)) : "…"]),
      el("span", { class: "dim" }, " " + this.valueOf(this.zoom) + ", " + percentText(this.zoom.weight, this.root.weight)));
  }

  drawLegend() {
    const { model, state } = this.page;
    const item = (color, text) => el("span", { class: "key" }, el("i", { class: "swatch " + color }), text);
    if (this.page.view().signed) return fill(this.legend, item("grew", "grew"), item("shrank", "shrank"), item("c8", "as much of both"));
    return fill(this.legend, Array.from(this.colors).map(([module, color]) => item("c" + color, baseName(model.texts[module]) || "unknown")));
  }

  valueOf(node) { return valueText(node.value, this.page.state.unit, this.page.view().signed); }

  zoomTo(node) {
    this.zoom = node;
    hideTip();
    this.draw();
  }

  frameAt(event) {
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, row = Math.floor((event.clientY - box.top) / ROW_PX);
    return this.frames.find(frame => frame.row === row && x >= frame.x && x < frame.x + frame.w);
  }
  hover(event) {
    const frame = this.frameAt(event);
    this.canvas.style.cursor = frame ? "pointer" : "default";
    frame ? showTip(event.clientX, event.clientY, frame.node.name, this.linesOf(frame.node)) : hideTip();
  }
  click(event) {
    const frame = this.frameAt(event);
    if (!frame) return;
    this.focus = frame.node;
    this.zoomTo(frame.node);
  }

  linesOf(node) {
    const { model, state } = this.page, lines = [];
    childrenOf(this.root, node);
    if (node.frame >= 0) {
      lines.push(whereText(model, node.frame, true));
      const module = model.texts[model.frames.module[node.frame]];
      if (module && lines[0] !== module) lines.push(module);
      if (model.frames.flags[node.frame] & INLINED) lines.push("inlined into its caller");
    }
    lines.push(this.valueOf(node) + " " + this.page.view().title.toLowerCase() + (state.unit === "bytes" ? " (" + grouped(node.value) + ")" : " blocks"));
    lines.push(percentText(node.weight, this.root.weight) + " of all" + (node.parent && node.parent !== this.root ? ", " + percentText(node.weight, node.parent.weight) + " of its parent" : ""));
    if (node.self && node.self !== node.value) lines.push("itself " + valueText(node.self, state.unit, this.page.view().signed));
    return lines;
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const at = this.focus || this.zoom, row = at.parent ? childrenOf(this.root, at.parent) : [at];
    const move = node => {
      if (!node) return;
      this.focus = node;
      if (!this.frames.some(frame => frame.node === node)) this.zoom = node;
      this.draw();
      this.said.textContent = node.name + ", " + this.linesOf(node).join(", ");
    };
    const actions = {
      ArrowDown: () => move(childrenOf(this.root, at)[0]), ArrowUp: () => move(at.parent), ArrowLeft: () => move(row[row.indexOf(at) - 1]),
      ArrowRight: () => move(row[row.indexOf(at) + 1]), Enter: () => this.zoomTo(at), Backspace: () => this.zoom.parent && this.zoomTo(this.zoom.parent),
      Escape: () => this.zoomTo(this.root),
    };
    if (!Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  }
}
