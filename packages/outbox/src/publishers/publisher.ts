import { type PublishTrace, publishTrace } from '@oncekey/core'
import { type Backoff, backoff } from '../consumer/backoff.ts'
import { type Consumer, type ConsumerSettings, consumer } from '../consumer/consumer.ts'
import { type DeliveredEvent, deliveredFacts } from '../consumer/delivered-event.ts'
import { delayAfter, saysPermanent } from '../consumer/verdict.ts'
import { MissingDestinationError } from './missing-destination-error.ts'
import { missingDestinations } from './missing-destinations.ts'
import { type OutageGate, outageGate } from './outage.ts'
import { isOwnFailure } from './own-failure.ts'

/** The options of every publisher: those of a consumer, with other defaults. */
export interface PublisherSettings extends ConsumerSettings {
  /**
   * Whether an event is sent only after the broker has confirmed the one before it of its ordering
   * key, or that one is a dead letter. A log without an order, such as `redisLog`, needs `false`.
   * @default true
   */
  readonly ordered?: boolean
  /** How many events may be sent and not yet confirmed, in each relay. @default 100 */
  readonly concurrency?: number
  /**
   * How many attempts an event gets before it is a dead letter. If retrying cannot help an event,
   * it is dead at once, so this number decides for how long a broker may be down. @default 10_000
   * (days)
   */
  readonly maxAttempts?: number
  /** How long to wait before the next attempt. @default backoff({ capMs: 30_000 }) */
  readonly backoff?: Backoff
}

/** Options of publishers whose broker reports that a destination does not exist. */
export interface MissingSettings {
  /**
   * How long to wait for a destination that the broker does not know. Its events are retried for
   * that long, measured by the process, and are dead letters at once after that. Milliseconds.
   * @default 600_000 (10 minutes)
   */
  readonly missingForMs?: number
}

export interface Publishing {
  /**
   * Builds the message for an event with the app's functions. An error that it throws is about this
   * event only, because the broker has not been contacted.
   */
  readonly prepare: (event: DeliveredEvent) => Prepared
  /** Whether, by the options, all events have the same destination. */
  readonly isForOne: boolean
  /** Whether retrying cannot help with this failure. */
  readonly isPermanent: (error: unknown) => boolean
  /**
   * Whether this failure is the broker's reply about this one destination, which shows that the
   * broker is up. False if that is not known. `MissingDestinationError` always counts as such a
   * reply.
   */
  readonly isOfDestination: (error: unknown) => boolean
  /**
   * See {@link MissingSettings}. Unused by publishers that never throw `MissingDestinationError`.
   */
  readonly missingForMs: number
}

export interface Prepared {
  /** The name of the destination, by which failures of different destinations are told apart. */
  readonly to: string
  /**
   * Resolves when the broker has taken responsibility for the event. `timeoutMs` is what is left of
   * the attempt's time. When the signal has aborted, the attempt is over, and nothing is to be
   * given to the client any longer: another process may be sending the event.
   */
  readonly send: (timeoutMs: number, signal: AbortSignal) => Promise<unknown>
}

/** Creates a consumer that sends events to a broker, and waits for the broker while it is down. */
export function publisher<Tx>(
  settings: PublisherSettings,
  { prepare, isPermanent, isForOne, isOfDestination, missingForMs }: Publishing,
): Consumer<Tx> {
  const made: Consumer<Tx> = consumer<Tx>({
    ...settings,
    ordered: settings.ordered ?? true,
    concurrency: settings.concurrency ?? 100,
    maxAttempts: settings.maxAttempts ?? 10_000,
    backoff: settings.backoff ?? backoff({ capMs: 30_000 }),
    handle: ({ event, signal }) => {
      const { to, send } = prepare(event)
      const until = performance.now() + made.attemptTimeoutMs
      // The attempt may have waited for its turn, so less of its time is left.
      const leftMs = () => Math.max(1, until - performance.now())
      const sent = () => missing.watch(to, () => send(leftMs(), signal))
      const attempt = () => traced(made.name, event, sent)
      return gate.pass(to, signal, attempt)
    },
  })
  const either: Consumer<Tx> = {
    ...made,
    isPermanent: (error) =>
      isPermanent(error) || (!isOwnFailure(error) && saysPermanent(made.isPermanent, error)),
  }
  const missing = missingDestinations(missingForMs)
  const gate: OutageGate = outageGate({
    name: made.name,
    backoff: (failures) => delayAfter(made, failures),
    // Below the attempt's timeout, so that the broker's error is recorded instead of the timeout.
    waitMs: Math.ceil(made.attemptTimeoutMs * 0.9),
    isPermanent: either.isPermanent,
    destinationFailureOf: (error) => {
      if (error instanceof MissingDestinationError) return 'missing'
      return isOfDestination(error) ? 'refused' : undefined
    },
    concurrencyLimit: isForOne ? Number.POSITIVE_INFINITY : made.concurrency,
  })
  return either
}

/** @default of {@link MissingSettings} */
export const MISSING_FOR_MS = 600_000

function traced<T>(name: string, event: DeliveredEvent, send: () => Promise<T>): Promise<T> {
  if (!publishTrace.isWatched) return send()
  const trace: PublishTrace = { publisher: name, event: deliveredFacts(event) }
  return publishTrace.around(trace, send)
}
