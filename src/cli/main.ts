#!/usr/bin/env node
import { Output } from './output.js';
import { main, processIo, reportError } from './program.js';

/** What nothing else caught: the terminal is restored at the end of the process. */
function fatal(error: unknown): void {
  const { stdout, stderr, env } = processIo();
  const code = reportError(error, new Output(stdout, stderr, env), env);
  process.exitCode = code;
  // What runs on, a machine perhaps, is in an unknown state.
  process.exit(code);
}

process.on('uncaughtException', fatal);
process.on('unhandledRejection', fatal);
process.exitCode = await main(process.argv.slice(2));
