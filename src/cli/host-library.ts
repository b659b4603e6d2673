import type { Library } from './library.js';

/** The library over the files and clocks of this host, loaded when it is first needed: it takes a whole processor along. */
export function hostLibrary(): Library {
  return {
    async createMachine(options) {
      const [{ createMachine }, { hostServices }] = await Promise.all([
        import('../harness/launch.js'),
        import('../host/services.js'),
      ]);
      return createMachine(await hostServices(), options);
    },
    async openRecording(file) {
      const [{ Recording }, { hostServices }] = await Promise.all([
        import('../harness/recording.js'),
        import('../host/services.js'),
      ]);
      return Recording.open(file, await hostServices());
    },
  };
}
