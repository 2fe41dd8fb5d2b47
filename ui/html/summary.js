// SPDX-License-Identifier: Apache-2.0
// The head of the page: what was recorded, the verdicts, what was lost and what that means, what it cost.

function paragraphs(kind, texts) { return (texts || []).map(text => el("p", { class: kind }, text)); }

function processText(process) { return process.name + " (" + process.pid + ")"; }

function headOf(data) {
  const report = data.report, info = report.recording, first = report.processes[0];
  const more = report.processes.length - 1;
  const when = new Date(info.start_unix_ns / 1e6).toISOString().slice(0, 19).replace("T", " ") + " UTC";
  return el("header", null,
    el("h1", null, first ? processText(first) : "dwell", more > 0 ? " and " + more + " more process" + (more > 1 ? "es" : "") : ""),
    first && first.command_line ? el("p", { class: "dim command-line" }, first.command_line) : null,
    el("p", { class: "dim" }, [info.host, info.kernel && "Linux " + info.kernel, info.arch, info.container && "container " + info.container]
      .filter(part => part).join(", ")),
    el("p", { class: "dim" }, (info.start_unix_ns ? when + ", " : "") + "recorded for " + durationText(info.duration_ns) +
      (report.end_reason ? "; " + report.end_reason : "")),
    info.sample_period_bytes ? el("p", { class: "dim" }, "sampled: one in every " + bytesText(info.sample_period_bytes) + " allocated, scaled back; ± is one standard error") : null);
}

// Losses come first: they say how far the rest can be believed.
function summaryOf(data) {
  const summary = data.memory.summary || {};
  const unseen = (summary.verdicts || []).filter(sentence => sentence.startsWith("NOT SEEN: "));
  const lost = data.report.losses.length > 0 || !data.report.ended || unseen.length > 0;
  const verdicts = subjectVerdicts(data.subjects).filter(verdict => verdict.grave);
  return el("section", { id: "summary", "aria-label": "Summary" },
    lost ? el("div", { class: "card warning", id: "losses" }, paragraphs("loss", unseen), paragraphs("loss", summary.losses)) : null,
    verdicts.map(verdict => el("div", { class: "card grave" }, el("p", { class: "verdict" }, verdict.title), paragraphs("dim", verdict.evidence))),
    data.only_look ? null : [paragraphs("verdict", summary.verdicts.filter(sentence => !unseen.includes(sentence))), paragraphs("note", summary.notes)],
    data.only_look ? null : el("details", { id: "quality" },
      el("summary", null, lost ? "Completeness of stacks, and cost" : "No event was lost. Completeness and cost"),
      lost ? null : paragraphs("dim", summary.losses), paragraphs("dim", summary.children), paragraphs("dim", summary.stacks), paragraphs("dim", summary.cost)));
}

const FEW_PROCESSES = 6;  // more are shown when they are asked for

// The totals of the report, and before them the sums over processes of one program.
function totalRows(data, model) {
  const single = data.report.totals.map(total => ({ number: model.accounts.findIndex(account => !account.members && account.process === total.process && account.kind === total.kind), figures: total.figures })).filter(row => row.number >= 0);
  const sums = model.accounts.map((account, number) => ({ account, number })).filter(({ account }) => account.members).map(({ account, number }) => ({ number, figures: data.memory.sums.find(sum => sum.process === account.process && sum.kind === account.kind).figures }));
  return { sums, single };
}

// Kinds of memory side by side, never added up. A click chooses what the rest of the page shows.
function totalsOf(data, model, state, choose, page) {
  const { sums, single } = totalRows(data, model), many = sums.length > 0 && single.length > FEW_PROCESSES;
  const all = sums.concat(!many || page.eachProcess || !model.accounts[state.account].members ? single : []);
  const cell = (text, more) => el("td", { class: more }, text);
  const rows = all.map(({ number, figures: f }) => el("tr", { class: number === state.account ? "chosen" : "", "data-account": number },
    el("th", { scope: "row" }, el("button", { type: "button", "aria-pressed": String(number === state.account), onclick: () => choose(number) }, accountTitleOf(data, model.accounts[number]))),
    cell(bytesText(f.retained_bytes) + (f.retained_bytes_standard_error ? " ± " + bytesText(f.retained_bytes_standard_error) : "")), cell(countText(f.retained_blocks), "minor"),
    cell(f.growth_bytes_per_minute === null ? "-" : bytesText(f.growth_bytes_per_minute, true)),
    cell(bytesText(f.allocated_bytes)), cell(bytesText(f.freed_bytes), "minor"), cell(percentText(f.temporary_blocks, f.allocations), "minor"), cell(bytesText(f.peak_bytes))));
  return [el("table", { id: "totals" },
    el("thead", null, el("tr", null, ["kind of memory", "retained", "blocks", "growth/min", "allocated", "freed", "temporary", "peak"].map((name, i) =>
      el("th", { scope: "col", class: [2, 5, 6].includes(i) ? "minor" : "" }, name)))),
    el("tbody", null, rows)),
    many ? el("button", { type: "button", id: "each-process", "aria-pressed": String(Boolean(page.eachProcess)), onclick: () => { page.eachProcess = !page.eachProcess; page.show(); } }, "each process") : null];
}
