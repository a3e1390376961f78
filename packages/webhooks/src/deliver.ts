import { OncekeyError } from '@oncekey/core'
import { tellAttempt, tellError } from './channels.ts'
import { judge, keepable } from './judge.ts'
import type { ResolvedOptions } from './options.ts'
import { signAndSend } from './sign-and-send.ts'
import type { ClaimedDelivery } from './statements/claim-deliveries.ts'
import type { Settlement } from './statements/settle-deliveries.ts'

/** One attempt to deliver what was claimed, and what becomes of it. Never rejects. */
export async function deliver(
  claimed: ClaimedDelivery,
  options: ResolvedOptions,
  signal: AbortSignal,
): Promise<Settlement> {
  const settlement = {
    id: claimed.id,
    epoch: claimed.epoch,
    ...(await outcomeOf(claimed, options, signal)),
  }
  tellAttempt(() => ({
    deliveryId: claimed.id,
    endpointId: claimed.endpointId,
    messageId: claimed.messageId,
    attempt: claimed.number,
    state: settlement.state,
    status: settlement.status ?? undefined,
    error: settlement.error ?? undefined,
    durationMs: settlement.durationMs,
    delayMs: settlement.state === 'retry' ? settlement.delayMs : undefined,
  }))
  return settlement
}

async function outcomeOf(
  claimed: ClaimedDelivery,
  options: ResolvedOptions,
  signal: AbortSignal,
): Promise<Omit<Settlement, 'id' | 'epoch'>> {
  try {
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
      },
      options,
      signal,
    )
    if (exchange.status === undefined && signal.aborted) {
      return ours('aborted', 'The worker was stopped before an answer came.', 0)
    }
    if (exchange.failure?.error === 'proxy-unavailable') {
      const { error, message } = exchange.failure
      tellError({
        error: new OncekeyError(error, message),
        during: 'attempt',
        deliveryIds: [claimed.id],
      })
      return ours(error, keepable(message), OURS_AGAIN_MS)
    }
    return judge(exchange, claimed.tries, options)
  } catch (error) {
    tellError({ error, during: 'attempt', deliveryIds: [claimed.id] })
    const { code, name, message } = error as { code?: string; name?: string; message?: string }
    return ours(code ?? name ?? 'error', keepable(String(message)), OURS_AGAIN_MS)
  }
}

/** The receiver is not to blame: neither a try is counted, nor anything held against the endpoint. */
function ours(error: string, message: string, delayMs: number): Omit<Settlement, 'id' | 'epoch'> {
  return {
    state: 'retry',
    reason: null,
    gone: false,
    delayMs,
    blockMs: 0,
    blame: 'ours',
    status: null,
    error,
    message,
    durationMs: 0,
    body: null,
    truncated: false,
  }
}

/** Keys, secrets and proxies are put right by people. */
const OURS_AGAIN_MS = 60_000
