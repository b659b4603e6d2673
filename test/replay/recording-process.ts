/** Records timer-echo under steady input until it is killed: `recording-process.ts FOLDER`. Writes the tick it is at, again and again. */
import { image, boot } from '../guests/guest.js';

const machine = await boot(image('timer-echo.img'), { outDir: process.argv[2], pacing: true });
await machine.run({ until: { serial: /ready/ } });
await machine.startRecording({ name: 'killed' });
process.stdout.write('started\n');
let round = 0;
await machine.run({
  onProgress: (tick) => {
    machine.typeSerial(`line ${++round}\r`);
    process.stdout.write(`${tick}\n`);
  },
});
