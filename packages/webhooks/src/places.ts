import { deliver } from './deliver.ts'
import type { ResolvedOptions } from './options.ts'
import { settleQueue } from './settle-queue.ts'
import type { ClaimedDelivery } from './statements/claim-deliveries.ts'

/** A delivery that was claimed, and until when, by our clock, it is ours for certain. */
export interface LeasedDelivery {
  readonly delivery: ClaimedDelivery
  readonly leaseEnd: number
}

/** What a worker has under way: a place for each delivery, from its claim until its outcome is on record. */
export interface Places {
  free(): number
  /** How many there are of each endpoint. */
  readonly perEndpoint: ReadonlyMap<string, number>
  /** Sends it and writes down how that went. Never rejects. */
  take(leased: LeasedDelivery): Promise<void>
  allFreed(): Promise<unknown>
}

export function places(
  options: ResolvedOptions,
  {
    size,
    signal,
    freed,
  }: { readonly size: number; readonly signal: () => AbortSignal; readonly freed: () => void },
): Places {
  const settlements = settleQueue(options)
  const underWay = new Set<Promise<void>>()
  const perEndpoint = new Map<string, number>()

  return {
    free: () => size - underWay.size,
    perEndpoint,
    take(leased) {
      const place = sent(leased).finally(() => {
        underWay.delete(place)
        count(leased.delivery.endpointId, -1)
        freed()
      })
      underWay.add(place)
      count(leased.delivery.endpointId, 1)
      return place
    },
    allFreed: () => Promise.all(underWay),
  }

  async function sent({ delivery, leaseEnd }: LeasedDelivery): Promise<void> {
    const settlement = await deliver(delivery, options, signal())
    await settlements.settle(settlement, leaseEnd)
  }

  function count(endpointId: string, change: 1 | -1): void {
    const now = (perEndpoint.get(endpointId) ?? 0) + change
    if (now === 0) perEndpoint.delete(endpointId)
    else perEndpoint.set(endpointId, now)
  }
}
