// SPDX-License-Identifier: Apache-2.0
// The memory of each process as a whole: what RSS consists of at the end, as a bar, and RSS over time, with the limit of
// its control group and marks. Drawn above the call sites, over the same time.

const RSS_PX = 84, RSS_TIMES = 3;  // a limit farther away than so many times the highest RSS is told, not drawn

// What RSS consists of, the largest part first; [] where that is not known.
function accountParts(balance) {
  const parts = balance.at_end ? balance.at_end.parts : {};
  return Object.keys(parts).map(name => ({ name: name.replace(/_/g, " "), bytes: parts[name] })).filter(part => part.bytes > 0).sort((one, other) => other.bytes - one.bytes);
}

// The nearest limit that counts resident memory; null: there is none.
function residentLimit(balance) {
  const limits = (balance.limits || []).filter(limit => limit.kind === "control_group" && limit.limit_bytes > 0);
  return limits.length ? limits.reduce((one, other) => (other.limit_bytes < one.limit_bytes ? other : one)) : null;
}

function residentScale(balance, atLeast = 1) {
  const highest = balance.rss_samples.reduce((most, sample) => Math.max(most, sample[1]), atLeast), limit = residentLimit(balance);
  const drawn = limit !== null && limit.limit_bytes <= RSS_TIMES * highest;
  return { most: drawn ? Math.max(highest, limit.limit_bytes) : highest, limit: drawn ? limit : null };
}

class Resident {
  // `atLeast`: bytes that the scale reaches, so that two can be compared.
  constructor(page, balance, name, atLeast = 1) {
    this.page = page;
    this.atLeast = atLeast;
    this.balance = balance;
    this.canvas = el("canvas", { role: "img", "aria-label": "RSS over time, " + bytesText(balance.rss_before_bytes) + " at the start, " + bytesText(balance.rss_after_bytes) + " at the end" });
    for (const [kind, act] of [["pointermove", event => this.hover(event)], ["pointerleave", hideTip]]) this.canvas.addEventListener(kind, act);
    this.element = el("section", { class: "resident", "aria-label": "Resident memory of " + name }, el("h2", null, "Resident memory" + (name ? " of " + name : "")),
      this.bar(), balance.rss_samples.length > 1 ? el("div", { class: "canvas-box" }, this.canvas) : null, this.limitText());
  }

  bar() {
    const parts = accountParts(this.balance), all = parts.reduce((sum, part) => sum + part.bytes, 0);
    if (!all) return el("p", { class: "dim" }, "What RSS consists of is not known" + (this.balance.no_parts ? ": " + this.balance.no_parts : "") + ".");
    const pieces = parts.map((part, i) => {
      const piece = el("span", { class: "c" + Math.min(i, 8), title: part.name + ": " + bytesText(part.bytes) });
      piece.style.flexGrow = String(part.bytes / all);
      return piece;
    });
    return el("div", { class: "account" }, el("div", { class: "account-bar", role: "img", "aria-label": parts.map(part => part.name + " " + bytesText(part.bytes)).join(", ") }, pieces),
      el("div", { class: "legend" }, parts.map((part, i) => el("span", { class: "key" }, el("i", { class: "swatch c" + Math.min(i, 8) }), part.name + " " + bytesText(part.bytes) + " (" + percentText(part.bytes, all) + ")"))));
  }

  limitText() {
    const limit = residentLimit(this.balance);
    return limit ? el("p", { class: "dim" }, "Its control group may use " + bytesText(limit.limit_bytes) + ", and uses " + bytesText(limit.in_use_bytes) + ".") : null;
  }

  // The same edges as the call sites have, so that one moment stands below the other.
  span() {
    const { edges, buckets } = this.page.model, samples = this.balance.rss_samples;
    return buckets > 0 ? [edges[0], edges[buckets]] : [samples[0][0], samples[samples.length - 1][0]];
  }
  x(ns) {
    const [from, to] = this.span();
    return LEFT_PX + Math.min(1, Math.max(0, (ns - from) / Math.max(1, to - from))) * (this.width - LEFT_PX - 2);
  }

  show() {
    if (!this.canvas.isConnected) return;
    const { pen, width } = sized(this.canvas, RSS_PX), { most, limit } = residentScale(this.balance, this.atLeast), { state, model } = this.page;
    const y = bytes => RSS_PX - 4 - bytes / most * (RSS_PX - 16);
    this.width = width;
    pen.font = "11px system-ui, sans-serif";
    pen.textAlign = "right";
    for (const bytes of [0, most]) {
      pen.strokeStyle = themeColor("line");
      pen.fillStyle = themeColor("dim");
      pen.beginPath();
      pen.moveTo(LEFT_PX, y(bytes));
      pen.lineTo(width, y(bytes));
      pen.stroke();
      pen.fillText(bytesText(bytes), LEFT_PX - 5, Math.min(RSS_PX - 1, y(bytes) + 4));
    }
    pen.strokeStyle = themeColor("stays");
    pen.lineWidth = 1.6;
    pen.beginPath();
    this.balance.rss_samples.forEach(([ns, bytes], i) => (i ? pen.lineTo(this.x(ns), y(bytes)) : pen.moveTo(this.x(ns), y(bytes))));
    pen.stroke();
    pen.lineWidth = 1;
    if (limit) this.drawLimit(pen, y(limit.limit_bytes));
    for (const mark of this.page.marks.filter(one => one.color === "mark")) this.drawMark(pen, mark);
    if (!state.range) return;
    pen.fillStyle = themeColor("shade");
    pen.fillRect(LEFT_PX, 0, this.x(model.edges[state.range[0]]) - LEFT_PX, RSS_PX);
    pen.fillRect(this.x(model.edges[state.range[1]]), 0, width, RSS_PX);
  }

  drawLimit(pen, y) {
    pen.strokeStyle = pen.fillStyle = themeColor("loss");
    pen.setLineDash([6, 3]);
    pen.beginPath();
    pen.moveTo(LEFT_PX, y);
    pen.lineTo(this.width, y);
    pen.stroke();
    pen.setLineDash([]);
    pen.fillText("limit", this.width - 4, y - 3);
  }

  drawMark(pen, mark) {
    pen.strokeStyle = themeColor("mark");
    pen.beginPath();
    pen.moveTo(this.x(mark.ns), 0);
    pen.lineTo(this.x(mark.ns), RSS_PX);
    pen.stroke();
  }

  hover(event) {
    const at = event.clientX - this.canvas.getBoundingClientRect().left, samples = this.balance.rss_samples;
    const nearest = samples.reduce((best, sample) => (Math.abs(this.x(sample[0]) - at) < Math.abs(this.x(best[0]) - at) ? sample : best), samples[0]);
    const lines = this.page.marks.filter(mark => mark.color === "mark" && Math.abs(this.x(mark.ns) - at) < 5).map(mark => mark.text);
    showTip(event.clientX, event.clientY, "RSS " + bytesText(nearest[1]) + " at " + durationText(nearest[0]), lines);
  }
}

// One for each process of which something is known, the first few.
function residentsOf(page) {
  const MOST = 4, balances = page.data.report.process_memory || [], processes = page.data.report.processes;
  return balances.slice(0, MOST).map(balance => new Resident(page, balance, processes.length > 1 && processes[balance.process] ? processText(processes[balance.process]) : ""));
}
