import { callLater, endsWithin } from '@oncekey/core'
import { lostConnections } from '../../client/lost-connections.ts'
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
  /**
   * Subscribes. Resolves to whether it is then told of attempts of other processes, at the latest
   * `withinMs` after the command was sent, which may have been before this call.
   */
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
 * awaits. After a lost connection the next wait subscribes again. ioredis may do that by itself
 * (`autoResubscribe`, its default), and twice does no harm; but a command that was under way is
 * dropped without a word if the user has turned `autoResendUnfulfilledCommands` off.
 */
export function endings(subscriber: RedisSubscriber | undefined): Endings {
  const watches = new Map<string, Set<() => void>>()
  const lost = lostConnections(subscriber ?? {})
  let subscription: Subscription | undefined
  let hears = false

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

  /** After a failure the next wait tries again. */
  function subscribe(to: RedisSubscriber): Subscription {
    const sent: Subscription = {
      lostBefore: lost.count,
      sentAt: performance.now(),
      isOn: false,
      answered: Promise.resolve(),
    }
    const subscribing = async (): Promise<void> => {
      await to.subscribe(ENDED_CHANNEL)
      if (!hears) to.on('message', hear)
      hears = true
      sent.isOn = true
    }
    sent.answered = subscribing().catch(() => {
      if (subscription === sent) subscription = undefined
    })
    return sent
  }

  const isKept = ({ lostBefore }: Subscription): boolean => lostBefore === lost.count
  const isListening = (): boolean => subscription?.isOn === true && isKept(subscription)

  function hear(channel: string, id: string): void {
    if (channel === ENDED_CHANNEL) ended(id)
  }

  async function listen(withinMs: number): Promise<boolean> {
    if (subscriber === undefined || isListening()) return isListening()
    if (subscription === undefined || !isKept(subscription)) subscription = subscribe(subscriber)
    const { answered, sentAt } = subscription
    const leftMs = sentAt + withinMs - performance.now()
    if (leftMs > 0) await endsWithin(answered, leftMs)
    return isListening()
  }

  return { watch, ended, listen, isListening }
}

/** A subscription that was sent. */
interface Subscription {
  /** How many connections had been lost before. */
  readonly lostBefore: number
  /** By `performance.now()`. */
  readonly sentAt: number
  isOn: boolean
  /** Resolves when it is answered, or has failed. */
  answered: Promise<void>
}
