import { OutputFile } from '../../host/output-file.js';
import type { Command } from '../context.js';
import { exitCodeOf } from '../exit-codes.js';
import { jsonLines } from '../export/json-lines.js';
import { junitReport } from '../export/junit.js';
import { pcapng } from '../export/pcapng.js';
import { exportReplayed, REPLAYED_FORMATS, type ReplayedExportOptions } from '../export/replayed.js';
import { serialOutput } from '../export/serial.js';
import { traceOf } from '../export/trace.js';
import { withReel, type ReelContents } from '../reel-contents.js';
import { parseChoice, parseCount } from '../values.js';

interface ExportOptions extends ReplayedExportOptions {
  readonly as?: string;
  readonly port?: string;
}

const READ_FORMATS = ['trace', 'junit', 'serial', 'pcapng', 'json'] as const;
type Format = (typeof READ_FORMATS)[number];

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
  const chosen = parseChoice('as', options.as, [...READ_FORMATS, ...REPLAYED_FORMATS]);
  const replayed = REPLAYED_FORMATS.find((format) => format === chosen);
  if (replayed !== undefined) return exportReplayed(context, file!, replayed, options);
  const format = chosen as Format;
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
