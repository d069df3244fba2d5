// Compares a server's answers with the raw loop's on the same samples.

/** |a−b| ≤ t·max|b| + t·|b|; t of 1e-5: batched against single, as the project defines equal. */
function differs(got, want, tolerance) {
  const largest = want.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  if (got.length !== want.length) return `${got.length} numbers instead of ${want.length}`;
  const bad = want.findIndex((each, i) => !(Math.abs(got[i] - each) <= tolerance * (largest + Math.abs(each))));
  return bad < 0 ? undefined : `number ${bad} is ${got[bad]} instead of ${want[bad]}`;
}

/** Asks for every body, all at once, and throws at the first answer that is not the expected one. */
export async function compareAnswers(bodies, ask, expected, tolerance = 1e-5) {
  const answers = await Promise.all(bodies.map((body) => ask(body)));
  for (const [i, answer] of answers.entries()) {
    const fault = differs(JSON.parse(answer.toString("utf8")), expected[i], tolerance);
    if (fault !== undefined) throw new Error(`answer ${i} is wrong: ${fault}`);
  }
}
