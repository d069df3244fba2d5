/**
 * TorchServe's own families as TorchServe's metrics port writes them: a comma behind the last label and numbers as Java
 * prints a double (`Requests2XX{Level="Host",Hostname="h",} 5.0`). Its dashboards' and test suites' patterns match that
 * text; Prometheus reads both forms. Pure.
 */

/** `text` is a Prometheus exposition; only the samples of `families` are rewritten. */
export function asJavaClient(text: string, families: ReadonlySet<string>): string {
  return text.replaceAll(sample, (line, name: string, labels: string, value: string) =>
    families.has(name) || families.has(name.replace(ofHistogram, ""))
      ? `${name}{${labels.replace(bound, "$2,$1")},} ${javaDouble(value)}`
      : line,
  );
}

/** There a bucket's bound is its last label. */
const bound = /^(le="[^"]*"),(.+)$/;

/** A line of a sample with labels; a label's value may hold any of the characters around it, but no line break. */
const sample = /^([A-Za-z_:][\w:]*)\{(.+)\} (\S+)$/gm;

const ofHistogram = /_(bucket|sum|count)$/;

/** Java's Double.toString: a decimal point always, and an exponent from ten million up and below a thousandth. */
export function javaDouble(text: string): string {
  const value = Number(text);
  if (!Number.isFinite(value)) return text;
  const size = Math.abs(value);
  if (value !== 0 && (size >= 1e7 || size < 1e-3)) {
    const [digits = "", exponent = ""] = value.toExponential().split("e");
    return `${pointed(digits)}E${Number(exponent)}`;
  }
  return pointed(String(value));
}

function pointed(digits: string): string {
  return digits.includes(".") ? digits : `${digits}.0`;
}
