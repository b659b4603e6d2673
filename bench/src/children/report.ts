/** Sends the parent what this process found out, and lets go of it. */
export function send(report: unknown): void {
  process.send!(report, undefined, undefined, () => process.disconnect());
}
