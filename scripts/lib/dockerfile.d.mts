export interface Instruction {
  readonly word: string;
  readonly flags: readonly string[];
  readonly text: string;
}
export interface Stage {
  readonly name: string;
  readonly from: string;
  readonly instructions: readonly Instruction[];
}
export interface Start {
  readonly env: Readonly<Record<string, string>>;
  readonly user: string | undefined;
  readonly folder: string;
  readonly command: readonly string[];
  readonly health: readonly string[];
}
export function parseDockerfile(text: string): {
  readonly globals: Readonly<Record<string, string>>;
  readonly stages: readonly Stage[];
};
export function pairs(text: string): Readonly<Record<string, string>>;
export function inherited(stages: readonly Stage[], stage: Stage): readonly Instruction[];
export function startOf(stages: readonly Stage[], stage: Stage): Start;
