/** What makes the driver of a pool: `createPgDriverFactory()` of `@slonik/pg-driver`. */
export type SlonikDriverFactory<Options, Client extends SlonikDriverClient> = (
  options: Options,
) => Promise<{ createClient: () => Promise<Client> }>

/** The part of a client of Slonik's driver that is used here. */
export interface SlonikDriverClient {
  on(event: 'error', listener: () => void): unknown
  destroy(): Promise<void>
}

const made = new WeakSet<object>()

/**
 * Slonik's driver, without a fault that costs its pool a place for each connection that is lost
 * while a statement is under way. {@link fromSlonik} needs a pool that was made with it.
 *
 * @example
 * ```ts
 * const driverFactory = slonikDriver(createPgDriverFactory())
 * const pool = await createPool(process.env.DATABASE_URL, { driverFactory })
 * ```
 */
export function slonikDriver<Options, Client extends SlonikDriverClient>(
  factory: SlonikDriverFactory<Options, Client>,
): SlonikDriverFactory<Options, Client> {
  const mended: typeof factory = async (options) => {
    const driver = await factory(options)
    return {
      ...driver,
      async createClient() {
        const client = await driver.createClient()
        removeWhenLost(client)
        return client
      },
    }
  }
  made.add(mended)
  return mended
}

export function isMended(factory: unknown): boolean {
  return made.has(Object(factory))
}

/**
 * Destroying a client, Slonik waits for the statement under way, and gives up when that fails: with
 * a connection that was lost it always does. The pool, which is told by the event 'destroy', would
 * count the client for ever.
 */
function removeWhenLost(client: SlonikDriverClient): void {
  // `on` returns the emitter itself.
  const emitter = client.on('error', () => {
    client.destroy().catch(() => emitter.emit('destroy'))
  }) as { emit(event: 'destroy'): void }
}
