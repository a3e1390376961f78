import type { DeliveryAttempt, DeliveryVerdict } from '@oncekey/core'

/** A verdict as fields of a JSON record. */
export function verdictFields(verdict: DeliveryVerdict | { readonly kind: 'done' }): object {
  return {
    state: verdict.kind,
    reason: verdict.kind === 'dead' ? verdict.reason : null,
    delay_ms: verdict.kind === 'retrying' ? Math.ceil(verdict.delayMs) : 0,
  }
}

/** An attempt as fields of a JSON record; no fields if nothing was attempted. */
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

/** Makes text that PostgreSQL can store, because an error's message may contain any character. */
function storable<Text extends string | null>(text: Text): Text {
  return text === null ? text : (text.replaceAll('\0', '\\0').toWellFormed() as Text)
}
