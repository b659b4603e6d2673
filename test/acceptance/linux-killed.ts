/**
 * `linux-killed.ts BASE FOLDER`: goes live at the end of the recording BASE, lets the guest record itself into FOLDER, and
 * keeps it busy until somebody kills the process. Writes `starting`, then `out TICK` when the guest has sent something
 * and `at TICK` in between.
 */
import { Recording } from '../../src/index.js';
import { Shell, sortAgain, work } from './linux-guest.js';

const [base, outDir] = process.argv.slice(2);
const recording = await Recording.open(base);
const replay = await recording.replay();
await replay.run();
const machine = await replay.goLive({ outDir });
machine.onSerial(() => process.stdout.write(`out ${machine.tick}\n`));
process.stdout.write('starting\n');
const shell = new Shell(machine, (tick) => process.stdout.write(`at ${tick}\n`));
await work(shell);
for (;;) {
  await sortAgain(shell);
  await shell.converse();
}
