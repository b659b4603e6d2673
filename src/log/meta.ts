import { anyObject, count, list, object, oneOf, optional, sha256Text, text, upTo, type Shape } from './json-shape.js';

/** Version of the recording format that this program writes, and the only one it reads. */
export const FORMAT_VERSION = 1;

/** A base image the machine was started with: needed only for going live, found by its hash. */
export interface ImageReference {
  /** What it is to the machine, e.g. `hda`. */
  readonly role: string;
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** The recording that this one branched off, and where. */
export interface ParentReference {
  readonly recordingId: string;
  readonly tick: number;
  /** SHA-256 of the parent's file. */
  readonly sha256?: string;
}

/** What a recording says about itself. */
export interface ReelMeta {
  readonly formatVersion: number;
  readonly recordingId: string;
  readonly name: string;
  /** Why it was started. */
  readonly reason: string;
  /** The principal who asked. */
  readonly startedBy: string;
  /** Wall-clock time, ISO 8601: an annotation, never compared. */
  readonly createdAt: string;
  readonly generator: { readonly name: string; readonly version: string };
  readonly nsPerTick: number;
  readonly startTick: number;
  /** How often the run had gone live before. */
  readonly epoch: number;
  /** The machine's configuration. */
  readonly machine: Readonly<Record<string, unknown>>;
  /** The CPU model's CPUID leaves as text. */
  readonly cpuid: string;
  readonly images: readonly ImageReference[];
  readonly policySha256: string;
  readonly parent?: ParentReference;
}

/** A tick of the guest's may not last longer than this, so that log times stay within 64 bits. */
const MAX_NS_PER_TICK = 1024;

export const META_SHAPE: Shape<ReelMeta> = object<ReelMeta>({
  formatVersion: count,
  recordingId: text,
  name: text,
  reason: text,
  startedBy: text,
  createdAt: text,
  generator: object<ReelMeta['generator']>({ name: text, version: text }),
  nsPerTick: upTo(MAX_NS_PER_TICK),
  startTick: count,
  epoch: count,
  machine: anyObject,
  cpuid: text,
  images: list(object<ImageReference>({ role: text, name: text, sha256: sha256Text, bytes: count })),
  policySha256: sha256Text,
  parent: optional(object<ParentReference>({ recordingId: text, tick: count, sha256: optional(sha256Text) })),
});

export const MARK_TYPES = ['mark', 'begin', 'end', 'verdict', 'check', 'log', 'checkpoint'] as const;
export type MarkType = (typeof MARK_TYPES)[number];

/** A named tick. */
export interface Mark {
  readonly type: MarkType;
  readonly label: string;
  readonly value: number;
  /** The principal who set it. */
  readonly by: string;
  /** Joins the `begin` and the `end` of a phase. */
  readonly phaseId?: number;
}

export const MARK_SHAPE: Shape<Mark> = object<Mark>({
  type: oneOf(MARK_TYPES),
  label: text,
  value: count,
  by: text,
  phaseId: optional(count),
});

/** Why and how a recording ended. */
export interface End {
  /** `recovered` where the recording was cut off and repaired. */
  readonly reason: string;
  /** The principal who stopped it. */
  readonly by?: string;
}

export const END_SHAPE: Shape<End> = object<End>({ reason: text, by: optional(text) });

/** How the bytes of a state's section are stored: as they are, or as an image of pages (see pages.ts). */
export const SECTION_ENCODINGS = ['bytes', 'pages'] as const;

export interface SectionReference {
  readonly name: string;
  readonly encoding: (typeof SECTION_ENCODINGS)[number];
}

/** What a snapshot or a checkpoint consists of, in order. */
export interface StateManifest {
  readonly sections: readonly SectionReference[];
}

export const MANIFEST_SHAPE: Shape<StateManifest> = object<StateManifest>({
  sections: list(object<SectionReference>({ name: text, encoding: oneOf(SECTION_ENCODINGS) })),
});
