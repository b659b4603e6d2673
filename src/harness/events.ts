/** Listeners by event name; handlers run in the order they were added. */
export class Events<M extends object> {
  readonly #handlers = new Map<keyof M, ((event: never) => void)[]>();

  on<K extends keyof M>(name: K, handler: (event: M[K]) => void): void {
    const list = this.#handlers.get(name) ?? [];
    list.push(handler as (event: never) => void);
    this.#handlers.set(name, list);
  }

  emit<K extends keyof M>(name: K, event: M[K]): void {
    for (const handler of this.#handlers.get(name) ?? []) (handler as (event: M[K]) => void)(event);
  }
}
