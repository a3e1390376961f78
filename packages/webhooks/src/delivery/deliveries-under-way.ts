import type { ResolvedOptions } from '../options/options.ts'
import { type ClaimedDelivery, OUT_OF_REACH } from '../statements/claims.ts'
import { attemptDelivery } from './attempt-delivery.ts'
import type { DatabaseClock } from './database-clock.ts'
import { ownFaults } from './own-faults.ts'
import { verdictRecorder } from './verdict-recorder.ts'

/**
 * A claimed delivery, and until when, by this process's clock, the claim is certainly still valid.
 */
export interface LeasedDelivery {
  readonly delivery: ClaimedDelivery
  readonly leaseEnd: number
  /** The clock by which it is signed. */
  readonly clock: DatabaseClock
}

/**
 * What one worker has under way. A delivery counts from its claim until its verdict is on record,
 * so the concurrency limit also bounds how many verdicts can wait for the database. Bodies count in
 * bytes, too: a process holds each several times over.
 */
export interface DeliveriesUnderWay {
  /** How many more deliveries may be claimed. */
  free(): number
  /** How many bytes of bodies more. */
  freeBytes(): number
  /** The ids of those under way. */
  ids(): string[]
  /** Whether a suspect is. */
  hasSuspect(): boolean
  /**
   * How many are under way to each endpoint, by its id; `OUT_OF_REACH` for an endpoint to which
   * this worker cannot send.
   */
  perEndpoint(): ReadonlyMap<string, number>
  /** Attempts a delivery, until `signal` aborts, and records the verdict. Never rejects. */
  send(leased: LeasedDelivery, signal: AbortSignal): Promise<void>
  /** Resolves when everything that is under way at the time of the call has ended. */
  allEnded(): Promise<unknown>
}

export function deliveriesUnderWay(
  options: ResolvedOptions,
  {
    most,
    ended,
  }: {
    readonly most: number
    /** Called whenever a delivery has ended. */
    readonly ended: () => void
  },
): DeliveriesUnderWay {
  const recorder = verdictRecorder(options)
  const underWay = new Map<Promise<void>, ClaimedDelivery>()
  const perEndpoint = new Map<string, number>()
  const faults = ownFaults()
  let bytes = 0

  return {
    free: () => Math.min(most, faults.most()) - underWay.size,
    freeBytes: () => MOST_BYTES - bytes,
    ids: () => [...underWay.values()].map(({ id }) => id),
    hasSuspect: () => [...underWay.values()].some(({ suspect }) => suspect),
    perEndpoint: () => new Map([...perEndpoint, ...faults.endpoints().map(outOfReach)]),
    send(leased, signal) {
      const size = leased.delivery.body.length
      bytes += size
      const sending = attemptAndRecord(leased, signal).finally(() => {
        underWay.delete(sending)
        bytes -= size
        count(leased.delivery.endpointId, -1)
        ended()
      })
      underWay.set(sending, leased.delivery)
      count(leased.delivery.endpointId, 1)
      return sending
    },
    allEnded: () => Promise.all(underWay.keys()),
  }

  async function attemptAndRecord(
    { delivery, leaseEnd, clock }: LeasedDelivery,
    signal: AbortSignal,
  ): Promise<void> {
    const verdict = await attemptDelivery(delivery, options, { signal, clock })
    faults.saw(verdict)
    await recorder.record(verdict, leaseEnd)
  }

  function count(endpointId: string, change: 1 | -1): void {
    const now = (perEndpoint.get(endpointId) ?? 0) + change
    if (now === 0) perEndpoint.delete(endpointId)
    else perEndpoint.set(endpointId, now)
  }
}

function outOfReach(endpointId: string): [string, number] {
  return [endpointId, OUT_OF_REACH]
}

/** Of bodies in base64. */
const MOST_BYTES = 16 * 1024 * 1024
