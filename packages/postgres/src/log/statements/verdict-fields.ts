import type { DeliveryAttempt, DeliveryVerdict } from '@oncekey/core'

/** What becomes of a delivery, as fields of a JSON record. */
export function verdictFields(verdict: DeliveryVerdict | { readonly kind: 'done' }): object {
  return {
    state: verdict.kind,
    reason: verdict.kind === 'dead' ? verdict.reason : null,
    delay_ms: verdict.kind === 'retrying' ? Math.ceil(verdict.delayMs) : 0,
  }
}

/** A try, as fields of a JSON record; none where nothing was tried. */
export function attemptFields(attempt: DeliveryAttempt | null): object {
  if (attempt === null) return {}
  const { name, message, code, stack, fingerprint } = attempt.error
  return {
    started_at: Math.round(attempt.startedAtMs),
    duration_ms: Math.round(attempt.durationMs),
    name: storable(name),
    message: storable(message),
    code: storable(code),
    stack: storable(stack),
    fingerprint: storable(fingerprint),
  }
}

/** Text that PostgreSQL can keep: an error's message may be anything. */
function storable<Text extends string | null>(text: Text): Text {
  return text === null ? text : (text.replaceAll('\0', '\\0').toWellFormed() as Text)
}
