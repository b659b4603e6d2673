import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/checked-digests.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Processes: the interpreter's compiler flags belong to a process, and a test that crashes one loses only its file.
    pool: 'forks',
    // The tests compute and hardly ever wait: one process per core, and none kept free.
    maxWorkers: availableParallelism(),
  },
});
