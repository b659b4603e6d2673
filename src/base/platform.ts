/**
 * The few engine globals that the deterministic zone may use and that lib ES2023 does not declare: WebAssembly and
 * UTF-8 conversion. Everything else of the host (clocks, files, randomness) stays undeclared on purpose.
 */
declare global {
  namespace WebAssembly {
    class Memory {
      constructor(descriptor: { initial: number; maximum?: number });
      readonly buffer: ArrayBuffer;
      grow(pages: number): number;
    }
    class Table {
      constructor(descriptor: { element: 'anyfunc'; initial: number; maximum?: number });
      readonly length: number;
      get(index: number): unknown;
      set(index: number, value: unknown): void;
    }
    class Module {
      constructor(bytes: Uint8Array);
    }
    class Instance {
      constructor(module: Module, imports?: Record<string, Record<string, unknown>>);
      readonly exports: Record<string, unknown>;
    }
    class RuntimeError extends Error {}
    class CompileError extends Error {}
  }
}

declare class Utf8Encoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
}
declare class Utf8Decoder {
  constructor(label?: string, options?: { fatal?: boolean });
  decode(bytes: Uint8Array): string;
}

const engine = globalThis as unknown as { TextEncoder: typeof Utf8Encoder; TextDecoder: typeof Utf8Decoder };

const ENCODER = new engine.TextEncoder();
const DECODER = new engine.TextDecoder('utf-8');

/** UTF-8 bytes of `text`. */
export function utf8Encode(text: string): Uint8Array<ArrayBuffer> {
  return ENCODER.encode(text);
}

/** Text of UTF-8 `bytes`; ill-formed sequences become U+FFFD. */
export function utf8Decode(bytes: Uint8Array): string {
  return DECODER.decode(bytes);
}
