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
 * bytes, too: a process holds each several times over. An endpoint that has its share of bytes
 * under way gets no more, or its bodies would leave no room for others.
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
   * this worker cannot send, or sends as many bytes as it may.
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
  const bytesPerEndpoint = new Map<string, number>()
  const faults = ownFaults()
  let bytes = 0

  return {
    free: () => Math.min(most, faults.most()) - underWay.size,
    freeBytes: () => MOST_BYTES - bytes,
    ids: () => [...underWay.values()].map(({ id }) => id),
    hasSuspect: () => [...underWay.values()].some(({ suspect }) => suspect),
    perEndpoint: () =>
      new Map([...perEndpoint, ...[...withTheirShare(), ...faults.endpoints()].map(outOfReach)]),
    send(leased, signal) {
      const { endpointId, body } = leased.delivery
      const size = Buffer.byteLength(body, 'base64')
      bytes += size
      const sending = attemptAndRecord(leased, signal).finally(() => {
        underWay.delete(sending)
        bytes -= size
        count(perEndpoint, endpointId, -1)
        count(bytesPerEndpoint, endpointId, -size)
        ended()
      })
      underWay.set(sending, leased.delivery)
      count(perEndpoint, endpointId, 1)
      count(bytesPerEndpoint, endpointId, size)
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

  function withTheirShare(): string[] {
    return [...bytesPerEndpoint].flatMap(([id, size]) => (size >= SHARE_BYTES ? [id] : []))
  }
}

function count(counts: Map<string, number>, endpointId: string, change: number): void {
  const now = (counts.get(endpointId) ?? 0) + change
  if (now === 0) counts.delete(endpointId)
  else counts.set(endpointId, now)
}

function outOfReach(endpointId: string): [string, number] {
  return [endpointId, OUT_OF_REACH]
}

/** Of bodies, which a claim brings in base64: 16 MiB of that. */
const MOST_BYTES = 12 * 1024 * 1024
const SHARE_BYTES = MOST_BYTES / 4
