import { OptionsError } from '@oncekey/core'
import { atOnce } from '@oncekey/core/options'
import type { ResolvedOptions } from '../options/options.ts'
import { type Classify, classifyByStatus, type ResponseClass } from '../retry/response-class.ts'
import { retryAfterMs } from '../retry/retry-after.ts'
import { resolveSchedule, standardSchedule } from '../retry/retry-schedule.ts'
import { keptText } from '../statements/kept-text.ts'
import type { Verdict } from '../statements/verdicts.ts'
import { tellError } from '../telemetry/channels.ts'
import type { Exchange } from './send.ts'

/**
 * Decides what becomes of a delivery and its endpoint after an exchange. `failures` is how many
 * tries failed before this one.
 */
export function judge(
  exchange: Exchange,
  failures: number,
  options: Pick<ResolvedOptions, 'classify' | 'waitAfter' | 'maxRetryAfterMs'>,
): Verdict {
  const responseClass = classOf(exchange, options.classify)
  const history = historyOf(exchange, responseClass)
  if (responseClass === 'delivered') return { ...history, ...DELIVERED }
  if (responseClass !== 'transient') {
    const gone = responseClass === 'gone'
    return { ...history, ...NOW, state: 'dead', reason: 'permanent', gone, blame: 'message' }
  }
  const asked = retryAfterMs(exchange.retryAfter, options.maxRetryAfterMs, exchange.date)
  const wait = waitAfter(failures + 1, options)
  // `Retry-After` is about the whole endpoint, so it holds back every delivery to it.
  const common = { ...history, gone: false, blockMs: asked, blame: 'endpoint' } as const
  if (wait === undefined) return { ...common, state: 'dead', reason: 'exhausted', delayMs: 0 }
  return { ...common, state: 'retry', reason: null, delayMs: Math.max(wait, asked) }
}

const NOW = { delayMs: 0, blockMs: 0 } as const
const DELIVERED = { ...NOW, state: 'delivered', reason: null, gone: false, blame: 'none' } as const

/**
 * Calls the app's own schedule. If it throws or returns no valid wait, the error is published, and
 * the standard schedule decides.
 */
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

/**
 * Whether an exchange ended before it said anything that counts: no answer came, or the answer was
 * a success whose body did not end. A refusal counts by its status.
 */
export function saysNothing({ status, failure }: Exchange, classify: Classify): boolean {
  return (
    status === undefined || (failure !== undefined && classified(status, classify) === 'delivered')
  )
}

/**
 * A refusal counts by its status even if its body breaks off; a success that breaks off is retried.
 */
function classOf({ status, failure }: Exchange, classify: Classify): ResponseClass {
  if (status === undefined) return 'transient'
  const responseClass = classified(status, classify)
  return responseClass === 'delivered' && failure !== undefined ? 'transient' : responseClass
}

/**
 * Calls the app's own `classify`. If it throws or returns no class, the error is published, and the
 * default decides: without a verdict, the delivery would be attempted forever.
 */
function classified(status: number, classify: Classify): ResponseClass {
  try {
    const responseClass = atOnce(classify(status))
    if (CLASSES.includes(responseClass)) return responseClass
    throw new OptionsError(
      `classify(${status}) returned ${String(responseClass)}: return 'delivered', 'transient', 'permanent' or 'gone'.`,
    )
  } catch (error) {
    tellError({ error, during: 'classify', deliveryIds: [] })
    return classifyByStatus(status)
  }
}

const CLASSES: readonly ResponseClass[] = ['delivered', 'transient', 'permanent', 'gone']

/** The part of the exchange that is stored in the delivery's history. */
function historyOf(
  { status, failure, durationMs, body, truncated }: Exchange,
  responseClass: ResponseClass,
): Pick<Verdict, 'status' | 'error' | 'message' | 'durationMs' | 'body' | 'truncated' | 'unsent'> {
  const refusal = responseClass === 'delivered' ? null : `status ${status}`
  const error = failure === undefined ? refusal : keptText(failure.error)
  return {
    status: status ?? null,
    error,
    message: failure === undefined ? null : keptText(failure.message),
    durationMs,
    body: body.length === 0 ? null : Buffer.from(body).toString('base64'),
    truncated,
    unsent: false,
  }
}
