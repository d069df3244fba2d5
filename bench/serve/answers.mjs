// Compares a server's answers with the raw loop's on the same samples.

/** |a−b| ≤ atol + rtol·|b| with atol = 1e-5 × max|b|: batched against single, as the project defines equal. */
function differs(got, want) {
  const largest = want.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  if (got.length !== want.length) return `${got.length} numbers instead of ${want.length}`;
  const bad = want.findIndex((each, i) => !(Math.abs(got[i] - each) <= 1e-5 * largest + 1e-5 * Math.abs(each)));
  return bad < 0 ? undefined : `number ${bad} is ${got[bad]} instead of ${want[bad]}`;
}

/** Asks for every body, all at once, and throws at the first answer that is not the expected one. */
export async function compareAnswers(bodies, ask, expected) {
  const answers = await Promise.all(bodies.map((body) => ask(body)));
  for (const [i, answer] of answers.entries()) {
    const fault = differs(JSON.parse(answer.toString("utf8")), expected[i]);
    if (fault !== undefined) throw new Error(`answer ${i} is wrong: ${fault}`);
  }
}
