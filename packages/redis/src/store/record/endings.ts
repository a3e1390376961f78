import { callLater, endsWithin } from '@oncekey/core'
import type { RedisSubscriber } from '../../client/redis-client.ts'

/** On it processes tell each other that an attempt somebody waits for has ended; the message is the record's id. */
export const ENDED_CHANNEL = 'oncekey:ended'

/**
 * Who in this process waits for which attempt to end. Attempts of this process are heard of
 * directly, those of others through Redis. A message can be lost: whoever waits has a deadline, and
 * asks the store for the truth when woken.
 */
export interface Endings {
  /** From now on an end of this record's attempt is noticed. */
  watch(id: string): Watch
  /** This record's attempt has ended. */
  ended(id: string): void
  /** Whether attempts of other processes are heard of from now on; false where that cannot be had in time. */
  listen(withinMs: number): Promise<boolean>
  /** Whether they are already. */
  isListening(): boolean
}

/** One claim's waiting. */
export interface Watch {
  /** Ends before this do not count any more: the store is about to be asked. */
  reset(): void
  /** Resolves at the next end since `reset`, when the time is up, or when nobody waits any more. */
  next(withinMs: number, signal: AbortSignal): Promise<void>
  stop(): void
}

/** Subscribes at the first wait, and stays subscribed: messages come only for keys that are waited for. */
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

  /** After a failure the next wait tries again; ioredis itself subscribes anew when it reconnects. */
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
