import { OptionsError } from '@oncekey/core'
import { tellError } from './channels.ts'
import { type Classify, classifyByStatus, type Verdict } from './classify.ts'
import type { ResolvedOptions } from './options.ts'
import { retryAfterMs } from './retry-after.ts'
import { resolveSchedule, standardSchedule } from './retry-schedule.ts'
import type { Exchange } from './send.ts'
import type { Settlement } from './statements/settle-deliveries.ts'

/** What becomes of a delivery and its endpoint after an exchange; `failures` are those before it. */
export function judge(
  exchange: Exchange,
  failures: number,
  options: Pick<ResolvedOptions, 'classify' | 'waitAfter' | 'maxRetryAfterMs'>,
): Omit<Settlement, 'id' | 'epoch'> {
  const verdict = verdictOn(exchange, options.classify)
  const kept = keptOf(exchange, verdict)
  if (verdict === 'delivered') return { ...kept, ...DELIVERED }
  if (verdict !== 'transient') {
    const gone = verdict === 'gone'
    return { ...kept, ...NOW, state: 'dead', reason: 'permanent', gone, blame: 'message' }
  }
  const asked = retryAfterMs(exchange.retryAfter, options.maxRetryAfterMs)
  const wait = waitAfter(failures + 1, options)
  // Who says when to come back means everything that is sent there, not this delivery alone.
  const common = { ...kept, gone: false, blockMs: asked, blame: 'endpoint' } as const
  if (wait === undefined) return { ...common, state: 'dead', reason: 'exhausted', delayMs: 0 }
  return { ...common, state: 'retry', reason: null, delayMs: Math.max(wait, asked) }
}

const NOW = { delayMs: 0, blockMs: 0 } as const
const DELIVERED = { ...NOW, state: 'delivered', reason: null, gone: false, blame: 'none' } as const

/** The app's own schedule; the standard one where that throws or answers no time, which is told. */
function waitAfter(
  failures: number,
  options: Pick<ResolvedOptions, 'waitAfter'>,
): number | undefined {
  try {
    return options.waitAfter(failures)
  } catch (error) {
    tellError({ error, during: 'schedule', deliveryIds: [] })
    return standardWait(failures)
  }
}

const standardWait = resolveSchedule(standardSchedule)

/** A refusal is one however it ends; a success that breaks off is not. */
function verdictOn({ status, failure }: Exchange, classify: Classify): Verdict {
  if (status === undefined) return 'transient'
  const verdict = classified(status, classify)
  return verdict === 'delivered' && failure !== undefined ? 'transient' : verdict
}

/**
 * Asks the app's own `classify`. Where it throws or returns no verdict that is told, and the default
 * decides: a delivery that nobody judges would be tried for ever.
 */
function classified(status: number, classify: Classify): Verdict {
  try {
    const verdict = classify(status)
    if (VERDICTS.includes(verdict)) return verdict
    throw new OptionsError(
      `classify(${status}) returned ${String(verdict)}: return 'delivered', 'transient', 'permanent' or 'gone'.`,
    )
  } catch (error) {
    tellError({ error, during: 'classify', deliveryIds: [] })
    return classifyByStatus(status)
  }
}

const VERDICTS: readonly Verdict[] = ['delivered', 'transient', 'permanent', 'gone']

function keptOf(
  { status, failure, durationMs, body, truncated }: Exchange,
  verdict: Verdict,
): Pick<Settlement, 'status' | 'error' | 'message' | 'durationMs' | 'body' | 'truncated'> {
  const refusal = verdict === 'delivered' ? null : `status ${status}`
  const error = failure === undefined ? refusal : keepable(failure.error)
  return {
    status: status ?? null,
    error,
    message: failure === undefined ? null : keepable(failure.message),
    durationMs,
    body: body.length === 0 ? null : Buffer.from(body).toString('base64'),
    truncated,
  }
}

/** Text that PostgreSQL can keep, and no more of it than anyone reads. */
export function keepable(text: string): string {
  return text.replaceAll('\0', '').slice(0, 500).toWellFormed()
}
