/** The part of zstd-codec 0.1.5 that is used here; the package has no types. */
declare module 'zstd-codec' {
  interface Simple {
    /** Null on an error. */
    compress(block: Uint8Array, level: number): Uint8Array | null;
    /** Null on an error, and for a frame that states no content size. */
    decompress(frame: Uint8Array): Uint8Array | null;
  }
  export const ZstdCodec: {
    run(ready: (zstd: { Simple: new () => Simple }) => void): void;
  };
}
