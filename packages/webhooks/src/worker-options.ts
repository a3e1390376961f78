import { OptionsError } from '@oncekey/core'
import { type ResolvedOptions, whole, wholeMs } from './options.ts'

export interface WorkerOptions {
  /** How many deliveries are under way at once. @default 50 */
  readonly concurrency?: number
  /** How many of them to one endpoint: the others' share is safe from one that is slow. @default 5 */
  readonly endpointConcurrency?: number
  /** How long a claim is this worker's; after a crash others wait that long. Milliseconds. @default timeoutMs + 20_000 */
  readonly leaseMs?: number
  /** How long it waits at most before it looks for deliveries again. Milliseconds. @default 1_000 */
  readonly pollMs?: number
  /**
   * How often in a row a delivery is claimed without the process living to say how it went, before
   * it is taken for poison. @default 5
   */
  readonly maxUnfinished?: number
}

export interface ResolvedWorkerOptions {
  readonly concurrency: number
  readonly endpointConcurrency: number
  readonly leaseMs: number
  readonly pollMs: number
  readonly maxUnfinished: number
}

export function resolveWorkerOptions(
  worker: WorkerOptions,
  { timeoutMs }: ResolvedOptions,
): ResolvedWorkerOptions {
  const concurrency = whole('concurrency', worker.concurrency ?? 50, 1)
  const leaseMs = wholeMs('leaseMs', worker.leaseMs ?? timeoutMs + 20_000, 1)
  // An exchange may take timeoutMs, and then its outcome has to be written.
  if (leaseMs < timeoutMs + LEAST_MARGIN_MS) {
    throw new OptionsError(
      `leaseMs: ${leaseMs} ends before a delivery may. Write at least timeoutMs + ${LEAST_MARGIN_MS}, ${timeoutMs + LEAST_MARGIN_MS}.`,
    )
  }
  return {
    concurrency,
    endpointConcurrency: whole('endpointConcurrency', worker.endpointConcurrency ?? 5, 1),
    leaseMs,
    pollMs: wholeMs('pollMs', worker.pollMs ?? 1_000, 1),
    maxUnfinished: whole('maxUnfinished', worker.maxUnfinished ?? 5, 1),
  }
}

const LEAST_MARGIN_MS = 1_000
