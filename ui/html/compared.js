// SPDX-License-Identifier: Apache-2.0
// The page of two recordings: what grew.

const DIFFERENCE_KEYS = [["/", "filter call sites"], ["1 … 5", "change, before, after, allocated, peak"], ["b", "bytes or blocks"], ["c", "callers"],
  ["l", "library frames"], ["arrows", "move in the graph or table that has the focus"], ["Esc", "close, clear"], ["?", "these keys"]];

class DifferencePage extends Explorer {
  constructor(data, column) {
    super(data, readDifference(data, column), DIFFERENCE_STATE, DIFFERENCE_KEYS);
    this.marks = [];
    this.residents = SIDES.map((side, i) => this.residentOf(side, data.names[i]));
    this.start();
  }

  residentOf(side, name) {
    const balances = this.data.difference[side + "_process_memory"].filter(one => !one.ended);
    return balances.length === 1 ? new Resident(this, balances[0], name + ", " + side, this.highestResident()) : null;
  }
  highestResident() {
    const all = SIDES.flatMap(side => this.data.difference[side + "_process_memory"].flatMap(balance => balance.rss_samples));
    return all.reduce((most, sample) => Math.max(most, sample[1]), 1);
  }

  columns() { return DIFFERENCE_COLUMNS.map(column => this.model.byRate && /retained|alloc/.test(column.key) ? Object.assign({}, column, { title: column.title + "/min" }) : column); }
  tagOf(site) { return !this.model.isIn.before[site] ? "new: " : !this.model.isIn.after[site] ? "gone: " : ""; }
  accountTitle() { return KIND_TITLES[this.model.accounts[this.state.account].kind] + (this.model.byRate && this.state.view !== "peak" ? ", per minute" : ""); }
  rowsKeyOf() { return String(this.state.account); }
  rowsOf() { return differenceRows(this.model, this.state.account); }
  keptAtAll() {
    const { model, rows, state } = this;
    return Uint8Array.from(rows.site, (site, row) => (state.view === "change" ? hasChanged(model, site) : this.all[row] !== 0) ? 1 : 0);
  }
  leftOutText() {
    if (this.state.view !== "change") return "";
    let count = 0, bytes = 0;
    for (let row = 0; row < this.rows.count; row++) if (!hasChanged(this.model, this.rows.site[row])) { count++; bytes += this.rows.after_retained_bytes[row]; }
    return count ? grouped(count) + " more did not change and are not listed: " + bytesText(bytes) : "";
  }
  commandText() { return differenceCommand(this.data.files, this.model.accounts[this.state.account].kind, this.state); }

  build() {
    const { difference, memory, names, subjects } = this.data;
    const side = (name, i) => el("p", { class: "dim" }, el("b", null, name + " "), [names[i], difference[name].host, new Date(difference[name].start_unix_ns / 1e6).toISOString().slice(0, 19).replace("T", " ") + " UTC",
      "recorded for " + durationText(difference[name].duration_ns), this.data.files[i]].filter(text => text).join(", "));
    const head = el("header", null, el("h1", null, names[0] === names[1] ? names[0] : names[0] + " and " + names[1]), SIDES.map(side));
    const summary = el("section", { id: "summary", "aria-label": "Summary" }, paragraphs("verdict", memory.verdicts), paragraphs("note", difference.notes));
    const shown = !this.hasMemory ? [] : [el("section", { id: "kinds", "aria-label": "Memory" }, el("h2", null, "Memory"), this.totals), this.controls(), this.flame.element, this.table.element, this.detail];
    this.fillPage([head, summary, this.accountElement(), shown, subjectSections(subjects, [])], ["dwell " + difference.after.dwell_version + ". Every call site of both recordings is here.", sourcesText(memory)]);
  }

  // Of all processes; the bars and curves where each side has one.
  accountElement() {
    const rows = accountChanges(this.data.difference), bars = this.residents.filter(one => one);
    if (!rows.length && !bars.length) return null;
    const cell = text => el("td", null, text);
    return el("section", { id: "account", "aria-label": "Resident memory" }, bars.length ? el("div", { class: "pair" }, bars.map(one => one.element)) : el("h2", null, "Resident memory"),
      !rows.length ? null : el("div", { class: "wide" }, el("table", { id: "account-changes", class: "figures" }, el("thead", null, el("tr", null, ["part of RSS", "change", "before", "after"].map(name => el("th", { scope: "col" }, name)))),
        el("tbody", null, rows.map(row => el("tr", null, el("th", { scope: "row" }, row.name), cell(bytesText(row.after - row.before, true)), cell(bytesText(row.before)), cell(bytesText(row.after))))))));
  }

  show(changes) {
    for (const one of this.residents) if (one) one.show();
    super.show(changes);
  }

  showTotals() {
    const { difference } = this.data, cell = text => el("td", null, text);
    const rows = difference.totals.map((total, number) => el("tr", { class: number === this.state.account ? "chosen" : "", "data-account": number },
      el("th", { scope: "row" }, el("button", { type: "button", "aria-pressed": String(number === this.state.account), onclick: () => this.set({ account: number, site: -1 }) }, KIND_TITLES[total.kind])),
      cell(bytesText(total.retained_bytes_change, true)), cell(countText(total.retained_blocks_change, true)), cell(bytesText(total.before.retained_bytes)), cell(bytesText(total.after.retained_bytes)),
      cell(bytesText(total.before.allocated_bytes)), cell(bytesText(total.after.allocated_bytes)), cell(bytesText(total.before.peak_bytes)), cell(bytesText(total.after.peak_bytes))));
    fill(this.totals, el("table", { id: "totals" }, el("thead", null, el("tr", null, ["kind of memory", "change", "blocks", "before", "after", "allocated before", "after", "peak before", "after"].map(name => el("th", { scope: "col" }, name)))),
      el("tbody", null, rows)));
  }

  detailElement() {
    const { model, state } = this, site = state.site, { before, after } = model;
    if (site < 0) return el("section", { id: "detail", hidden: true });
    const fact = (name, text, of) => el("div", null, el("dt", null, name), el("dd", null, text(before[of][site]) + " → " + text(after[of][site])));
    const rate = model.byRate ? " per minute" : "";
    return el("section", { id: "detail", "aria-label": "Call site" },
      el("h2", null, this.tagOf(site) + siteText(model, model.asks[site], 1)), el("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => this.set({ site: -1 }) }, "×"),
      el("p", { id: "detail-facts" }, bytesText(after.retained_bytes[site] - before.retained_bytes[site], true) + rate + ", " + KIND_TITLES[model.accounts[model.accountOf[site]].kind]),
      el("dl", null, fact("retained" + rate, bytesText, "retained_bytes"), fact("blocks" + rate, countText, "retained"), fact("allocated" + rate, bytesText, "alloc_bytes"), fact("allocations" + rate, countText, "allocs"),
        fact("freed" + rate, bytesText, "freed_bytes"), fact("part of the peak", bytesText, "peak_bytes")),
      stackElement(model, model.leaf[site], model.asks[site], ""));
  }
}
