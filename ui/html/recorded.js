// SPDX-License-Identifier: Apache-2.0
// The page of one recording.

const KEYS = [["/", "filter call sites"], ["1 … 7", "retained, growing, survivors, allocated, freed, temporary, peak"], ["b", "bytes or blocks"], ["c", "callers"],
  ["l", "library frames"], ["arrows", "move in the chart, graph or table that has the focus"], ["Esc", "close, clear, whole recording"], ["?", "these keys"]];

class RecordedPage extends Explorer {
  constructor(data, column) {
    super(data, readModel(data.memory, column), RECORDING_STATE, KEYS);
    this.marks = marksOf(data);
    this.residents = residentsOf(this);
    this.timeline = new Timeline(this);
    this.start();
  }

  viewKeys() { return Object.keys(VIEWS).filter(key => key !== "born" || this.model.birthsKnown); }
  columns() {
    const { state, model } = this;
    return COLUMNS.filter(column => (column.whole ? !state.range : true) && (column.ranged ? state.range : true) && (column.births ? model.birthsKnown : true));
  }
  drawsTime() { return true; }
  holdersKnown() { return this.model.sites.held.some(text => text > 0); }
  curveOf(row) {
    const { model, state, rows } = this, slots = slotsOfRow(model, state.account, rows.site[row]);
    return !slots.length || model.buckets < 2 ? null : sparkline(liveOf(model, slots), 72, 18);
  }
  accountTitle() { return accountTitleOf(this.data, this.model.accounts[this.state.account]); }
  rowsKeyOf() { return [this.state.account, this.state.range].join(); }
  rowsOf() { return rowsOf(this.model, this.state.account, this.state.range); }
  commandText() {
    const account = this.model.accounts[this.state.account], { processes } = this.data.report;
    return commandText(this.data.file, account.kind, this.state, this.model.edges, processes.length > 1 && !account.members ? processes[account.process].pid : null);
  }
  commandIsNearest() { return commandIsNearest(this.state); }
  detailElement() { return detailOf(this); }

  build() {
    const memory = !this.hasMemory ? [] : [el("section", { id: "kinds", "aria-label": "Memory" }, el("h2", null, "Memory"), this.totals), this.timeline.element,
      this.controls(), this.flame.element, this.table.element, this.detail];
    this.fillPage([headOf(this.data), summaryOf(this.data), this.residents.map(one => one.element), memory, subjectSections(this.data.subjects, this.data.report.processes)],
      [this.foldedText(), sourcesText(this.data.memory), " Times count from the start of the recording."]);
  }

  foldedText() {
    const { sites, slotOfSite, accounts, count } = this.model;
    const small = accounts.map((account, number) => {
      if (!account.other_sites || account.members) return null;
      let retained = 0, allocated = 0, ofRetained = 0, ofAllocated = 0;
      for (let site = 0; site < count; site++) {
        if (this.model.accountOf[site] !== number) continue;
        ofRetained += sites.retained_bytes[site];
        ofAllocated += sites.alloc_bytes[site];
        if (slotOfSite[site] < 0) { retained += sites.retained_bytes[site]; allocated += sites.alloc_bytes[site]; }
      }
      return grouped(account.other_sites) + " (" + KIND_TITLES[account.kind].toLowerCase() + ": " + percentText(retained, ofRetained) + " of what is retained, " + percentText(allocated, ofAllocated) + " of what was allocated)";
    }).filter(text => text);
    return "dwell " + this.data.report.recording.dwell_version + ". " + (small.length ? "Every call site is here with its figures of the whole recording. The smallest have none of their own by time, and are one row where a range is chosen: " + small.join(", ") + "." : "Nothing was left out.");
  }

  // `dragging`: only what is cheap.
  set(changes, dragging) {
    if (!dragging) return super.set(changes);
    Object.assign(this.state, changes);
    for (const one of this.residents) one.show();
    this.timeline.show();
  }

  show(changes) {
    for (const one of this.residents) one.show();
    super.show(changes);
  }

  showTotals(changes) {
    fill(this.totals, totalsOf(this.data, this.model, this.state, account => this.set({ account, site: -1 }), this));
    if (!changes || !("site" in changes) || Object.keys(changes).length > 1) this.timeline.show();
  }
}
