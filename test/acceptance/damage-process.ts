/** `damage-process.ts RECORDING FOLDER`: a line with damage on stdin, a line with its outcome on stdout. */
import { createInterface } from 'node:readline';
import { DamageTrial, type Damage } from './damage.js';

const [file, folder] = process.argv.slice(2);
const trial = await DamageTrial.of(file, folder);
for await (const line of createInterface({ input: process.stdin })) {
  const outcome = await trial.try(JSON.parse(line) as Damage);
  process.stdout.write(`${JSON.stringify({ outcome, replays: trial.replays })}\n`);
}
