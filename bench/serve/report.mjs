// From lists of figures to medians, bars and a table.

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function medianRow(rows) {
  return Object.fromEntries(Object.keys(rows[0]).map((key) => [key, median(rows.map((row) => row[key]))]));
}

/** medians[target][concurrency] = median of every figure over the rounds; raw has `rate` alone. */
export function medianOf(figures, rawFigures) {
  const medians = {};
  for (const [target, byConcurrency] of Object.entries(figures)) {
    medians[target] = Object.fromEntries(Object.entries(byConcurrency).map(([c, rows]) => [c, medianRow(rows)]));
  }
  if (rawFigures.length > 0) {
    medians.raw = Object.fromEntries(
      Object.keys(rawFigures[0]).map((c) => [
        c,
        { rate: median(rawFigures.map((row) => row[c].rate)), setting: rawFigures[0][c].setting },
      ]),
    );
  }
  return medians;
}

/** The scenario's bars with what was measured: ratios and differences of medians from one run. */
export function barsOf(scenario, result) {
  return (scenario.bars ?? []).map((bar) => {
    const [above, below] = (bar.ratio ?? bar.difference).map((path) => {
      const [target, figure] = path.split(".");
      return result.medians[target]?.[bar.concurrency]?.[figure];
    });
    if (above === undefined || below === undefined) return { ...bar, measured: null, met: false };
    const measured = bar.ratio ? above / below : above - below;
    return { ...bar, measured, met: bar.least !== undefined ? measured >= bar.least : measured <= bar.most };
  });
}

const columns = [
  ["target", (row) => row.target],
  ["c", (row) => row.c],
  ["req/s", (row) => row.rate.toFixed(row.rate < 1000 ? 1 : 0)],
  ["p50 µs", (row) => row.p50Us?.toFixed(0) ?? ""],
  ["p99 µs", (row) => row.p99Us?.toFixed(0) ?? ""],
  ["CPU µs/req", (row) => row.serverCpuUs?.toFixed(1) ?? ""],
  ["cores", (row) => row.serverCores?.toFixed(2) ?? ""],
  ["generator cores", (row) => row.generatorCores?.toFixed(2) ?? ""],
  ["of echo", (row) => row.ofEcho?.toFixed(3) ?? ""],
  ["of raw", (row) => row.ofRaw?.toFixed(3) ?? ""],
  ["setting", (row) => row.setting ?? ""],
];

function rowsOf({ medians }) {
  return Object.entries(medians).flatMap(([target, byConcurrency]) =>
    Object.entries(byConcurrency).map(([c, row]) => {
      const ratio = (of) => (medians[of]?.[c] && target !== of ? row.rate / medians[of][c].rate : undefined);
      return { target, c, ...row, ofEcho: ratio("echo"), ofRaw: ratio("raw") };
    }),
  );
}

function printTable(rows) {
  const shown = columns.filter(([, cell]) => rows.some((row) => cell(row) !== ""));
  const cells = [shown.map(([name]) => name), ...rows.map((row) => shown.map(([, cell]) => String(cell(row))))];
  const widths = shown.map((_, i) => Math.max(...cells.map((line) => line[i].length)));
  for (const line of cells) {
    console.log(
      line
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
        .join("  ")
        .trimEnd(),
    );
  }
}

export function printReport(result) {
  const { machine } = result;
  console.log(`${result.title}: medians of ${result.rounds} interleaved rounds of ${result.secondsEach} s`);
  console.log(
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.features.join(" ")} · node ${machine.node} · ` +
      `libtorch ${machine.libtorch} · commit ${machine.commit}${machine.dirty ? " with changes" : ""} · ${machine.loadGenerator}\n`,
  );
  printTable(rowsOf(result));
  for (const [target, { rssMb, pssMb }] of Object.entries(result.memory)) {
    console.log(`memory of ${target}: ${rssMb} MB resident, ${pssMb} MB proportional`);
  }
  console.log();
  for (const bar of result.bars) {
    const goal = bar.least !== undefined ? `at least ${bar.least}` : `at most ${bar.most}`;
    const measured = bar.measured === null ? "not measured" : bar.measured.toFixed(3);
    console.log(`${bar.met ? "met " : "MISSED"}  ${bar.name}: ${measured} (${goal})`);
  }
}
