import type { Decision, Fingerprint } from '@oncekey/core'

/**
 * The keys whose attempts run in this process. A claim that meets one is answered from here: without
 * a connection, and with the running request's fingerprint in sight, which no lock can show.
 */
export interface RunningKeys<Tx> {
  get(id: string): RunningKey<Tx> | undefined
  /** Called before anybody can hear of the attempt; returns what to call when it has ended. */
  add(id: string, key: Omit<RunningKey<Tx>, 'ended'>): () => void
}

export interface RunningKey<Tx> {
  readonly token: string
  readonly fingerprint: Fingerprint
  /** For a claim that is sent again with the attempt's own token. */
  readonly decision: Decision<Tx>
  /** Resolves when the attempt has ended, however it did. */
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
