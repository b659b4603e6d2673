import { Command as Commander, CommanderError } from 'commander';
import { CodedError } from '../base/errors.js';
import { Interrupt } from '../host/interrupt.js';
import { packageVersion } from '../host/package-file.js';
import { normaliseArgv } from './argv.js';
import { auditCommand } from './commands/audit.js';
import { exportRecording } from './commands/export.js';

import { images } from './commands/images.js';
import { info } from './commands/info.js';
import { marks } from './commands/marks.js';
import { policyCommand } from './commands/policy.js';
import { recover } from './commands/recover.js';
import { replay } from './commands/replay.js';
import { run } from './commands/run.js';
import { verify } from './commands/verify.js';
import type { Command, Context, Io } from './context.js';
import { argumentText, optionFlags, VERBS, type VerbDeclaration, type VerbName } from './declarations.js';
import { exitCodeOf } from './exit-codes.js';
import { hostLibrary } from './host-library.js';
import type { Library } from './library.js';
import { Output, printable } from './output.js';

// Each command takes the options that its declaration names; commander gives them as strings and booleans.
const COMMANDS: Record<VerbName, Command<never>> = {
  run,
  replay,
  verify,
  info,
  marks,
  export: exportRecording,
  recover,
  images,
};

type Runner = (context: Context) => Promise<number>;

function declare(program: Commander, verb: VerbDeclaration, chosen: (runner: Runner) => void): void {
  const command = program.command(verb.name).description(verb.summary);
  for (const argument of verb.arguments) {
    const declared = command.createArgument(argumentText(argument), argument.help);
    command.addArgument(argument.choices === undefined ? declared : declared.choices(argument.choices));
  }
  for (const option of verb.options) {
    if (option.isList !== true) command.option(optionFlags(option), option.help);
    else command.option(optionFlags(option), option.help, (word: string, words?: string[]) => [...(words ?? []), word]);
  }
  if (verb.notes !== undefined) command.addHelpText('after', `\n${verb.notes.join('\n')}`);
  command.action((...given: unknown[]) => {
    const options = given[verb.arguments.length] as never;
    const words = given
      .slice(0, verb.arguments.length)
      .flat()
      .filter((word) => word !== undefined) as string[];
    chosen((context) => COMMANDS[verb.name as VerbName](context, words, options));
  });
}

/** Commander's messages begin with `error: ` and end with a line feed. */
function commanderMessage(error: CommanderError): string {
  return printable(
    error.message
      .replace(/^error: /, '')
      .replace(/\s*\n\s*/g, ' ')
      .trim(),
  );
}

/** Errors and output of a command that was made elsewhere, and of those below it, as those of `program`. */
function settingsOf(program: Commander, command: Commander): Commander {
  command.copyInheritedSettings(program);
  for (const below of command.commands) settingsOf(command, below);
  return command;
}

function createProgram(output: Output, chosen: (runner: Runner) => void): Commander {
  const program = new Commander('reel')
    .description('a deterministic PC: record it, replay it, take it over')
    .version(packageVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.data(text),
      // Errors are reported where they are caught, all in the same way.
      writeErr: () => {},
      getOutHelpWidth: () => output.stdout.columns ?? 100,
    });
  for (const verb of VERBS) declare(program, verb, chosen);
  const write = (text: string): void => output.data(text);
  for (const command of [policyCommand(write), auditCommand(write)]) program.addCommand(settingsOf(program, command));
  return program;
}

/** Parses; returns what is to be run, or an exit code where nothing is. */
async function parse(argv: readonly string[], output: Output): Promise<Runner | number> {
  let runner: Runner | null = null;
  const program = createProgram(output, (chosen) => (runner = chosen));
  if (argv.length === 0) {
    output.stderr.write(program.helpInformation());
    return exitCodeOf('USAGE');
  }
  try {
    await program.parseAsync(normaliseArgv(argv), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return exitCodeOf('OK');
    throw new CodedError('USAGE', commanderMessage(error), { hint: 'reel --help lists commands and options' });
  }
  return runner ?? exitCodeOf('OK');
}

/** Tells the user, in one line; the stack only where it is asked for. Returns the exit code. */
export function reportError(error: unknown, output: Output, env: Io['env']): number {
  const wantsStack = (env.REEL_DEBUG ?? '') !== '' && env.REEL_DEBUG !== '0';
  const stack = error instanceof Error ? error.stack : undefined;
  if (error instanceof CodedError) {
    output.error(printable(error.describe()));
    if (wantsStack && stack !== undefined) output.message(stack);
    return exitCodeOf(error.code);
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  output.error(`${printable(message)}: this is a bug in guestreel (REEL_DEBUG=1 shows where)`);
  if (wantsStack && stack !== undefined) output.message(stack);
  return exitCodeOf('INTERNAL');
}

/** The streams and signals of this process. */
export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process;
  return { stdin, stdout, stderr, env, signals: process, nowMs: () => Date.now() };
}

/**
 * Runs a command line, without the program's name, to its end. Returns the exit code; throws nothing. `library` and
 * `io` are for tests.
 */
export async function main(argv: readonly string[], io: Io = processIo(), library?: Library): Promise<number> {
  const output = new Output(io.stdout, io.stderr, io.env);
  let interrupt: Interrupt | null = null;
  try {
    const runner = await parse(argv, output);
    if (typeof runner === 'number') return runner;
    const signals = new Interrupt(io.signals);
    interrupt = signals;
    output.onFailure = () => signals.raise('SIGPIPE');
    const result = await runner({ io, output, interrupt, library: library ?? hostLibrary() });
    await output.settled();
    if (output.failure instanceof CodedError) throw output.failure;
    return output.failure === 'closed' ? exitCodeOf('SIGPIPE') : result;
  } catch (error) {
    // What was interrupted says so with STATE.
    const wasInterrupted = error instanceof CodedError && error.code === 'STATE';
    if (interrupt?.received && wasInterrupted) return exitCodeOf(interrupt.received);
    return reportError(error, output, io.env);
  } finally {
    interrupt?.dispose();
    output.clearProgress();
  }
}
