import type { Decision, Fingerprint } from '@oncekey/core'

/**
 * The keys whose attempts run in this process. A claim of such a key is decided without the
 * database, and by the fingerprint of the running request, which the lock in the database cannot
 * show.
 */
export interface RunningKeys<Tx> {
  get(id: string): RunningKey<Tx> | undefined
  /**
   * Adds a key. Call it before anybody can learn of the attempt, and call the returned function
   * when the attempt has ended.
   */
  add(id: string, key: Omit<RunningKey<Tx>, 'ended'>): () => void
}

export interface RunningKey<Tx> {
  readonly token: string
  readonly fingerprint: Fingerprint
  /** The reply to a claim that is sent again with the attempt's own token. */
  readonly decision: Decision<Tx>
  /** Resolves when the attempt has ended, whatever the outcome. */
  readonly ended: Promise<void>
}

export function runningKeys<Tx>(): RunningKeys<Tx> {
  const keys = new Map<string, RunningKey<Tx>>()

  return {
    get: (id) => keys.get(id),
    add(id, key) {
      let end = (): void => {}
      const ended = new Promise<void>((resolve) => {
        end = resolve
      })
      const running = { ...key, ended }
      keys.set(id, running)
      return () => {
        if (keys.get(id) === running) keys.delete(id)
        end()
      }
    },
  }
}
