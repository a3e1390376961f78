import { OptionsError, wholeMs } from '@oncekey/core'
import { wholeNumber } from '@oncekey/core/options'
import type { ResolvedOptions } from '../options/options.ts'

export interface WorkerOptions {
  /** How many deliveries may be under way at once. @default 50 */
  readonly concurrency?: number
  /**
   * How many deliveries may be under way to one endpoint at once in each worker, so that a slow one
   * leaves room for others. The same for every endpoint.
   * @default 5
   */
  readonly endpointConcurrency?: number
  /**
   * How long a claim belongs to this worker. After a crash, other workers wait that long before
   * they send its deliveries. Milliseconds.
   * @default timeoutMs + 20_000
   */
  readonly leaseMs?: number
  /** The longest wait before the worker looks for deliveries again. Milliseconds. @default 1_000 */
  readonly pollMs?: number
  /**
   * How often in a row a delivery may be claimed by processes that die before they record an
   * outcome; at least 2. After that it becomes a dead letter with the reason `poison`. The first
   * process may have died of another delivery beside it, the last had no other under suspicion.
   * @default 5
   */
  readonly maxUnfinished?: number
}

export interface ResolvedWorkerOptions {
  readonly concurrency: number
  readonly endpointConcurrency: number
  readonly leaseMs: number
  readonly pollMs: number
  readonly maxUnfinished: number
  /** From how many on no other such delivery is claimed beside it. */
  readonly suspectFrom: number
}

export function resolveWorkerOptions(
  worker: WorkerOptions,
  { timeoutMs }: ResolvedOptions,
): ResolvedWorkerOptions {
  const concurrency = wholeNumber('concurrency', worker.concurrency ?? 50, 1)
  const leaseMs = wholeMs('leaseMs', worker.leaseMs ?? timeoutMs + 20_000, 1)
  const maxUnfinished = wholeNumber('maxUnfinished', worker.maxUnfinished ?? 5, 1)
  if (maxUnfinished === 1) {
    throw new OptionsError(
      'maxUnfinished: write at least 2. When one worker has died, nobody knows which of its deliveries ' +
        'ended it, and all of them would be dead.',
    )
  }
  // An exchange may take timeoutMs, and its outcome has to be recorded before the lease ends.
  if (leaseMs < timeoutMs + LEAST_MARGIN_MS) {
    throw new OptionsError(
      `leaseMs: ${leaseMs} ends before a delivery may. Write at least timeoutMs + ${LEAST_MARGIN_MS}, ${timeoutMs + LEAST_MARGIN_MS}.`,
    )
  }
  return {
    concurrency,
    endpointConcurrency: wholeNumber('endpointConcurrency', worker.endpointConcurrency ?? 5, 1),
    leaseMs,
    pollMs: wholeMs('pollMs', worker.pollMs ?? 1_000, 1),
    maxUnfinished,
    // The last one always counts alone. After a single one none is suspected, if there is room for
    // that: processes die of much else.
    suspectFrom: Math.min(2, maxUnfinished - 1),
  }
}

const LEAST_MARGIN_MS = 1_000
