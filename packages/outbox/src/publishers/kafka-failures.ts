/**
 * Whether the broker refused the message itself. The refusal may be anywhere in the chain of
 * errors, and is recognised by its name in the protocol. An unknown topic is not permanent, because
 * it may be created soon.
 */
export function isKafkaPermanent(error: unknown): boolean {
  return isPermanentWithin(error, MOST_CAUSES)
}

function isPermanentWithin(error: unknown, causesLeft: number): boolean {
  if (typeof error !== 'object' || error === null || causesLeft < 0) return false
  const { apiId, type, errors, cause } = error as Record<string, unknown>
  if (PERMANENT.has(String(apiId ?? type))) return true
  const causes = [...(Array.isArray(errors) ? errors : []), cause]
  return causes.some((each) => isPermanentWithin(each, causesLeft - 1))
}

const MOST_CAUSES = 5

const PERMANENT = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_RECORD',
])
