import type { ResolvedOptions } from '../options/options.ts'
import type { ClaimedDelivery } from '../statements/claims.ts'
import { attemptDelivery } from './attempt-delivery.ts'
import { verdictRecorder } from './verdict-recorder.ts'

/**
 * A claimed delivery, and until when, by this process's clock, the claim is certainly still valid.
 */
export interface LeasedDelivery {
  readonly delivery: ClaimedDelivery
  readonly leaseEnd: number
}

/**
 * The deliveries that one worker has under way. A delivery counts from its claim until its verdict
 * is on record, so the concurrency limit also bounds how many verdicts can wait for the database.
 */
export interface DeliveriesUnderWay {
  /** How many more deliveries may be claimed. */
  free(): number
  /** How many are under way to each endpoint, by its id. */
  readonly perEndpoint: ReadonlyMap<string, number>
  /** Attempts a delivery and records the verdict. Never rejects. */
  send(leased: LeasedDelivery): Promise<void>
  /** Resolves when everything that is under way at the time of the call has ended. */
  allEnded(): Promise<unknown>
}

export function deliveriesUnderWay(
  options: ResolvedOptions,
  {
    most,
    signal,
    ended,
  }: {
    readonly most: number
    /** Returns the signal that aborts the attempts. Called for each attempt. */
    readonly signal: () => AbortSignal
    /** Called whenever a delivery has ended. */
    readonly ended: () => void
  },
): DeliveriesUnderWay {
  const recorder = verdictRecorder(options)
  const underWay = new Set<Promise<void>>()
  const perEndpoint = new Map<string, number>()

  return {
    free: () => most - underWay.size,
    perEndpoint,
    send(leased) {
      const sending = attemptAndRecord(leased).finally(() => {
        underWay.delete(sending)
        count(leased.delivery.endpointId, -1)
        ended()
      })
      underWay.add(sending)
      count(leased.delivery.endpointId, 1)
      return sending
    },
    allEnded: () => Promise.all(underWay),
  }

  async function attemptAndRecord({ delivery, leaseEnd }: LeasedDelivery): Promise<void> {
    const verdict = await attemptDelivery(delivery, options, signal())
    await recorder.record(verdict, leaseEnd)
  }

  function count(endpointId: string, change: 1 | -1): void {
    const now = (perEndpoint.get(endpointId) ?? 0) + change
    if (now === 0) perEndpoint.delete(endpointId)
    else perEndpoint.set(endpointId, now)
  }
}
