import { type Backoff, backoff } from './backoff.ts'
import { type Consumer, type ConsumerSettings, consumer } from './consumer.ts'
import type { DeliveredEvent } from './delivered-event.ts'
import { type OutageGate, outageGate } from './outage.ts'
import { saysPermanent } from './verdict.ts'

/** What every publisher takes: the settings of a consumer, with other defaults. */
export interface PublisherSettings extends ConsumerSettings {
  /**
   * Whether an event is sent only when the one before it of its ordering key has been confirmed.
   * @default true
   */
  readonly ordered?: boolean
  /** How many are sent and not yet confirmed, in each relay. @default 100 */
  readonly concurrency?: number
  /**
   * How often an event is tried before it is dead. What no try can help with is dead at once, so that
   * this is how long a broker may be down. @default 10_000 (days)
   */
  readonly maxAttempts?: number
  /** How long to wait before the next try. @default backoff({ capMs: 30_000 }) */
  readonly backoff?: Backoff
}

export interface Publishing {
  /**
   * Makes of an event what the broker is sent, with the app's functions. What it throws is about this
   * event and says nothing about the broker, which is not asked.
   */
  readonly prepare: (event: DeliveredEvent) => Send
  /** Failures of this broker that no further try can help with. */
  readonly isPermanent: (error: unknown) => boolean
}

/** Resolves when the broker has taken responsibility for the event. */
export type Send = (timeoutMs: number) => Promise<unknown>

/** A consumer that hands events to a broker, and waits for it while it is down. */
export function publisher<Tx>(
  settings: PublisherSettings,
  { prepare, isPermanent }: Publishing,
): Consumer<Tx> {
  const made: Consumer<Tx> = consumer<Tx>({
    ...settings,
    ordered: settings.ordered ?? true,
    concurrency: settings.concurrency ?? 100,
    maxAttempts: settings.maxAttempts ?? 10_000,
    backoff: settings.backoff ?? backoff({ capMs: 30_000 }),
    handle: ({ event, signal }) => {
      const send = prepare(event)
      return gate.pass(signal, () => send(made.attemptTimeoutMs))
    },
  })
  const either: Consumer<Tx> = {
    ...made,
    isPermanent: (error) => isPermanent(error) || saysPermanent(made.isPermanent, error),
  }
  const gate: OutageGate = outageGate({
    name: made.name,
    backoff: made.backoff,
    // So that it is the broker's failure that is kept, not that time was up.
    waitMs: Math.ceil(made.attemptTimeoutMs * 0.9),
    isPermanent: either.isPermanent,
  })
  return either
}
