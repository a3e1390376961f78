import { callLater, endsWithin } from '@oncekey/core'
import type { RedisSubscriber } from '../../client/redis-client.ts'

/**
 * The channel on which processes announce that an awaited attempt has ended; the message is the
 * record's id.
 */
export const ENDED_CHANNEL = 'oncekey:ended'

/**
 * Tells claims of this process when the attempt they wait for ends. Attempts of this process report
 * directly, those of others through Redis. A message can be lost, so every wait has a deadline. A
 * claim that is woken asks the store again.
 */
export interface Endings {
  /** From this call on, notices when an attempt of this record ends. */
  watch(id: string): Watch
  /** Reports that this record's attempt has ended. */
  ended(id: string): void
  /** Subscribes. Resolves to whether it is then told of attempts of other processes. */
  listen(withinMs: number): Promise<boolean>
  /** Whether it is subscribed already. */
  isListening(): boolean
}

/** The wait of one claim. */
export interface Watch {
  /** Forgets earlier ends, because the store is about to be asked. */
  reset(): void
  /** Resolves at the next end since `reset`, when the time is up, or when the signal aborts. */
  next(withinMs: number, signal: AbortSignal): Promise<void>
  stop(): void
}

/**
 * Subscribes at the first wait and stays subscribed: messages come only for keys that somebody
 * awaits.
 */
export function endings(subscriber: RedisSubscriber | undefined): Endings {
  const watches = new Map<string, Set<() => void>>()
  let subscribing: Promise<void> | undefined
  let listening = false

  function ended(id: string): void {
    for (const notice of watches.get(id) ?? []) notice()
  }

  function watch(id: string): Watch {
    let noticed = false
    let wakeUp: (() => void) | undefined
    const notice = (): void => {
      noticed = true
      wakeUp?.()
    }
    const watching = watches.get(id) ?? new Set()
    watches.set(id, watching.add(notice))

    return {
      reset() {
        noticed = false
      },

      next(withinMs, signal) {
        return new Promise((resolve) => {
          wakeUp = () => {
            timer.cancel()
            signal.removeEventListener('abort', wakeUp as () => void)
            wakeUp = undefined
            resolve()
          }
          const timer = callLater(wakeUp, withinMs)
          signal.addEventListener('abort', wakeUp)
          if (noticed || signal.aborted) wakeUp()
        })
      },

      stop() {
        watching.delete(notice)
        if (watching.size === 0 && watches.get(id) === watching) watches.delete(id)
      },
    }
  }

  /**
   * After a failure the next wait tries again; ioredis itself subscribes again when it reconnects.
   */
  async function subscribe(to: RedisSubscriber): Promise<void> {
    try {
      await to.subscribe(ENDED_CHANNEL)
      if (!listening) to.on('message', hear)
      listening = true
    } finally {
      subscribing = undefined
    }
  }

  function hear(channel: string, id: string): void {
    if (channel === ENDED_CHANNEL) ended(id)
  }

  async function listen(withinMs: number): Promise<boolean> {
    if (listening || subscriber === undefined) return listening
    subscribing ??= subscribe(subscriber)
    await endsWithin(
      subscribing.catch(() => {}),
      withinMs,
    )
    return listening
  }

  return { watch, ended, listen, isListening: () => listening }
}
