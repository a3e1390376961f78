import { OncekeyError } from '@oncekey/core'
import { LOCAL_LIMITS } from '../dialing/local-limits.ts'
import type { ResolvedOptions } from '../options/options.ts'
import type { ClaimedDelivery } from '../statements/claims.ts'
import { keptText } from '../statements/kept-text.ts'
import type { DeliveryVerdict, SentAs, Verdict } from '../statements/verdicts.ts'
import { tellAttempt, tellError, type WebhookTrace, webhookTrace } from '../telemetry/channels.ts'
import type { DatabaseClock } from './database-clock.ts'
import { judge, saysNothing } from './judge.ts'
import { ABORTED, type Exchange } from './send.ts'
import { signAndSend } from './sign-and-send.ts'

interface AttemptedBy {
  /** Aborts the attempt. */
  readonly signal: AbortSignal
  readonly clock: DatabaseClock
}

/** Attempts one claimed delivery. Resolves with the verdict to record. Never rejects. */
export function attemptDelivery(
  claimed: ClaimedDelivery,
  options: ResolvedOptions,
  by: AttemptedBy,
): Promise<DeliveryVerdict> {
  if (!webhookTrace.isWatched) return attempted(claimed, options, by)
  const { id, endpointId, messageId, number, url } = claimed
  const trace: WebhookTrace = { deliveryId: id, endpointId, messageId, attempt: number, url }
  return webhookTrace.around(trace, async () => {
    const verdict = await attempted(claimed, options, by)
    trace.state = verdict.state
    trace.status = verdict.status ?? undefined
    if (verdict.error !== null) trace.error = verdict.error
    return verdict
  })
}

async function attempted(
  claimed: ClaimedDelivery,
  options: ResolvedOptions,
  by: AttemptedBy,
): Promise<DeliveryVerdict> {
  const verdict = {
    id: claimed.id,
    epoch: claimed.epoch,
    sent: sentWith(claimed),
    ...(await verdictOf(claimed, options, by)),
  }
  tellAttempt(() => ({
    deliveryId: claimed.id,
    endpointId: claimed.endpointId,
    messageId: claimed.messageId,
    attempt: claimed.number,
    state: verdict.state,
    status: verdict.status ?? undefined,
    error: verdict.error ?? undefined,
    durationMs: verdict.durationMs,
    delayMs: verdict.state === 'retry' ? verdict.delayMs : undefined,
  }))
  return verdict
}

/** What of its endpoint the delivery is sent with. */
export function sentWith({ endpointId, url, headers, tls, secrets }: ClaimedDelivery): SentAs {
  return {
    endpointId,
    url,
    headers: headers?.secret ?? null,
    tls: tls?.secret ?? null,
    secret: secrets?.[0]?.secret ?? null,
  }
}

async function verdictOf(
  claimed: ClaimedDelivery,
  options: ResolvedOptions,
  { signal, clock }: AttemptedBy,
): Promise<Verdict> {
  try {
    const at = clock()
    if (at === undefined) return unsent(CLOCK_JUMPED.error, CLOCK_JUMPED.message, 0)
    const exchange = await signAndSend(
      {
        endpointId: claimed.endpointId,
        url: claimed.url,
        messageId: claimed.messageId,
        body: Buffer.from(claimed.body, 'base64'),
        attempt: claimed.number,
        secrets: claimed.secrets ?? [],
        headers: claimed.headers,
        tls: claimed.tls,
        at,
      },
      options,
      signal,
    )
    if (exchange.failure === ABORTED && saysNothing(exchange, options.classify)) {
      return aborted()
    }
    const own = ownFaultOf(exchange)
    if (own !== undefined) {
      tellError({ error: own, during: 'attempt', deliveryIds: [claimed.id] })
      return unsent(own.code, keptText(own.message), RETRY_OUR_FAULT_MS)
    }
    return judge(exchange, claimed.tries, options)
  } catch (error) {
    tellError({ error, during: 'attempt', deliveryIds: [claimed.id] })
    const { code, name, message } = error as { code?: string; name?: string; message?: string }
    return unsent(code ?? name ?? 'error', keptText(String(message)), RETRY_OUR_FAULT_MS)
  }
}

/** The error of an exchange that did not leave this side, because of a fault there. */
function ownFaultOf({ failure }: Exchange): (Error & { readonly code: string }) | undefined {
  if (failure === undefined) return undefined
  const { error, message } = failure
  const own = OWN_FAULTS.find((code) => code === error)
  if (own !== undefined) return new OncekeyError(own, message)
  return LOCAL_LIMITS.has(error) ? Object.assign(new Error(message), { code: error }) : undefined
}

/** Failures on the way to the endpoint that are ours. */
const OWN_FAULTS = ['proxy-unavailable', 'name-servers-unavailable'] as const

/** The request may have been sent. */
function aborted(): Verdict {
  return { ...unsent(ABORTED.error, ABORTED.message, 0), unsent: false }
}

/**
 * A verdict to retry that counts neither as a try nor against the endpoint, because the fault is on
 * our side. Nothing was sent.
 */
function unsent(error: string, message: string, delayMs: number): Verdict {
  return {
    state: 'retry',
    reason: null,
    gone: false,
    delayMs,
    blockMs: 0,
    blame: 'ours',
    unsent: true,
    status: null,
    error,
    message,
    durationMs: 0,
    body: null,
    truncated: false,
  }
}

/** The next claim brings the time anew, so the delivery is due at once. */
const CLOCK_JUMPED = {
  error: 'clock-jumped',
  message:
    'The clock of the host jumped, or the host was suspended, after the worker had claimed the ' +
    'delivery. So the time to sign was not known, and nothing was sent.',
}

/**
 * A minute, because a person has to repair keys, secrets, proxies or name servers, and an earlier
 * retry would fail again. Milliseconds.
 */
const RETRY_OUR_FAULT_MS = 60_000
