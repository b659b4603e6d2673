/** The module of a thread; null when this runs from its TypeScript sources, which a thread would have to translate for itself. */
export function workerFile(url: URL): URL | null {
  return import.meta.url.endsWith('.js') ? url : null;
}
