import type { DeliveryVerdict } from '../statements/verdicts.ts'

/**
 * What a worker leaves alone for a while, because of faults on its own side: the endpoints for
 * which it cannot sign, whose names it cannot look up or to which it gets no way through its proxy,
 * and nearly everything while the proxy is away. Other workers may have no such fault, so the
 * database does not know of it.
 */
export interface OwnFaults {
  /** Takes note of how an attempt ended. */
  saw(verdict: DeliveryVerdict): void
  /** The endpoints to which it sends nothing at the moment. */
  endpoints(): string[]
  /**
   * How many deliveries it may have under way: one now and then while the proxy is away, to find
   * out whether it is back.
   */
  most(): number
}

/**
 * A proxy that gives no answer for one endpoint may fail because of that endpoint, which is then
 * left alone. The proxy counts as away when it fails for a second endpoint before anything has
 * passed it, and until something does. `now` is in milliseconds.
 */
export function ownFaults(now: () => number = () => performance.now()): OwnFaults {
  const untilByEndpoint = new Map<string, number>()
  /** The first endpoint for which the proxy failed since something passed. */
  let firstFailed: string | undefined
  /** When the proxy last failed, while it is away. */
  let proxyTriedAt: number | undefined

  return {
    saw(verdict) {
      const { endpointId } = verdict.sent
      if (hasPassed(verdict)) {
        firstFailed = undefined
        proxyTriedAt = undefined
        untilByEndpoint.delete(endpointId)
      } else if (verdict.unsent && verdict.error === 'proxy-unavailable') {
        firstFailed ??= endpointId
        if (firstFailed !== endpointId || proxyTriedAt !== undefined) proxyTriedAt = now()
        untilByEndpoint.set(endpointId, now() + TRY_PROXY_EVERY_MS)
      } else if (verdict.unsent && verdict.delayMs > 0) {
        untilByEndpoint.set(endpointId, now() + verdict.delayMs)
      }
    },
    endpoints() {
      const at = now()
      for (const [id, until] of untilByEndpoint) if (until <= at) untilByEndpoint.delete(id)
      return [...untilByEndpoint.keys()]
    },
    most() {
      if (proxyTriedAt === undefined) return Number.POSITIVE_INFINITY
      return now() - proxyTriedAt < TRY_PROXY_EVERY_MS ? 0 : 1
    },
  }
}

/**
 * Whether something is known to have come from beyond the worker: from the endpoint, or from a
 * proxy about it. A name that is not found, a forbidden address or a stop says nothing of that.
 */
function hasPassed({ status, error }: DeliveryVerdict): boolean {
  return status !== null || error === 'proxy-refused' || error === 'spoke-first'
}

const TRY_PROXY_EVERY_MS = 5_000
