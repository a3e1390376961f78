/** The parts of RFC 9457 problem details that retries depend on. */
export interface Problem {
  readonly code: string | undefined
  readonly title: string | undefined
  /** Oncekey's advice: repeat the same key, start over with a new one, or neither. */
  readonly retry: 'same-key' | 'new-key' | 'never' | undefined
}

/** Reads a problem from a body. Undefined if the body is no problem. */
export function readProblem(
  contentType: string | null,
  bytes: Uint8Array<ArrayBuffer>,
): Problem | undefined {
  const type = contentType?.toLowerCase() ?? ''
  if (type.startsWith('application/json')) return stripesProblem(parsed(bytes))
  if (!isProblemType(contentType)) return undefined
  const said = parsed(bytes)
  if (said === undefined) return undefined
  const text = (name: string) => (typeof said[name] === 'string' ? said[name] : undefined)
  const retry = text('retry')
  return {
    code: text('code'),
    title: text('title'),
    retry: retry === 'same-key' || retry === 'new-key' || retry === 'never' ? retry : undefined,
  }
}

/** Whether a body of this type is a problem of RFC 9457. */
export function isProblemType(contentType: string | null): boolean {
  return /^application\/problem\+json\b/i.test(contentType ?? '')
}

/** `{ "error": { "code": … } }`, as Stripe and similar APIs respond; it has no advice. */
function stripesProblem(said: Record<string, unknown> | undefined): Problem | undefined {
  const { code, type } = (said?.error ?? {}) as { code?: unknown; type?: unknown }
  const found = [code, type].find((name) => name === 'idempotency_key_in_use')
  return typeof found === 'string' ? { code: found, title: undefined, retry: undefined } : undefined
}

function parsed(bytes: Uint8Array<ArrayBuffer>): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
