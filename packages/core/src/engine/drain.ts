import type { Store } from '../contracts/store.ts'
import { milliseconds } from '../options/check-option.ts'
import { warnOfFailure } from '../telemetry/channels.ts'
import { endsWithin } from '../time/durations.ts'

/** What {@link drainEngines} needs of an engine, whatever its transaction is. */
export interface Draining {
  readonly options: { readonly store: Pick<Store, 'settle'> }
  /**
   * The engine's own part of `drain`: stops claiming keys and waits until open claims and attempts
   * have ended, at most `withinMs`. {@link drainEngines} does it for several engines and asks each
   * of their stores once.
   */
  drainRequests(withinMs: number): Promise<void>
  /** How many claims and attempts are open. */
  readonly openRequests: number
}

/**
 * Drains engines that serve one application, as `Engine.drain` drains one. Several engines may
 * share a store: it is then asked once for the ends that it still has to send, so that none of them
 * counts twice.
 */
export async function drainEngines(
  engines: readonly Draining[],
  { deadlineMs = 30_000 }: { readonly deadlineMs?: number } = {},
): Promise<number> {
  milliseconds('deadlineMs', deadlineMs, 0)
  const until = performance.now() + deadlineMs
  await Promise.all(engines.map((engine) => engine.drainRequests(deadlineMs)))
  const withinMs = Math.max(0, until - performance.now())
  const stores = new Set(engines.map(({ options }) => options.store))
  const unsent = await Promise.all([...stores].map((store) => unsentEnds(store, withinMs)))
  return sum(engines.map(({ openRequests }) => openRequests)) + sum(unsent)
}

/** How many ends a store has still to send. A store that does not say so in time counts as one. */
async function unsentEnds(store: Pick<Store, 'settle'>, withinMs: number): Promise<number> {
  let unsent = 1
  try {
    const settling = store.settle?.({ withinMs }) ?? Promise.resolve(0)
    await endsWithin(
      settling.then((count) => {
        unsent = count
      }),
      withinMs + ANSWER_MS,
    )
  } catch (error) {
    warnOfFailure('drain-settle', `The ends that were still to be sent are not known: ${error}`)
  }
  return unsent
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}

/** For a store that counts when its time is over. */
const ANSWER_MS = 100
