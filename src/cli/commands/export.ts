import { OutputFile } from '../../host/output-file.js';
import type { Command } from '../context.js';
import { exitCodeOf } from '../exit-codes.js';
import { exportDisk, type DiskExportOptions } from '../export/disk.js';
import { jsonLines } from '../export/json-lines.js';
import { junitReport } from '../export/junit.js';
import { pcapng } from '../export/pcapng.js';
import { serialOutput } from '../export/serial.js';
import { traceOf } from '../export/trace.js';
import { withReel, type ReelContents } from '../reel-contents.js';
import { parseChoice, parseCount } from '../values.js';

interface ExportOptions extends DiskExportOptions {
  readonly as?: string;
  readonly port?: string;
}

const FORMATS = ['trace', 'junit', 'serial', 'pcapng', 'overlay', 'json'] as const;
type Format = Exclude<(typeof FORMATS)[number], 'overlay'>;

function* exported(recording: ReelContents, format: Format, port: number): Generator<Uint8Array | string> {
  switch (format) {
    case 'trace':
      yield `${JSON.stringify(traceOf(recording))}\n`;
      break;
    case 'junit':
      yield* junitReport(recording);
      break;
    case 'serial':
      yield* serialOutput(recording.reader, port);
      break;
    case 'pcapng':
      yield* pcapng(recording.reader);
      break;
    case 'json':
      for (const line of jsonLines(recording.reader)) yield `${line}\n`;
  }
}

export const exportRecording: Command<ExportOptions> = async (context, [file], options) => {
  const format = parseChoice('as', options.as, FORMATS);
  if (format === 'overlay') return exportDisk(context, file!, options);
  const port = parseCount('port', options.port ?? '0');
  return withReel(file!, async (recording) => {
    const target = options.output === undefined ? null : new OutputFile(options.output);
    try {
      for (const piece of exported(recording, format, port)) {
        if (target !== null) {
          target.write(piece);
          continue;
        }
        context.output.data(piece);
        await context.output.drained();
        if (context.output.failure !== null) break;
      }
    } finally {
      target?.close();
    }
    return exitCodeOf('OK');
  });
};
