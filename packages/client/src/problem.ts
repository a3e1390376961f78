/** What a server says of its refusal: RFC 9457 problem details, as far as retries go by them. */
export interface Problem {
  readonly code: string | undefined
  readonly title: string | undefined
  /** Oncekey's advice: send the same key again, start over with a new one, or neither. */
  readonly retry: 'same-key' | 'new-key' | 'never' | undefined
}

/** Reads a problem from a body. Undefined if it is none. */
export function readProblem(
  contentType: string | null,
  bytes: Uint8Array<ArrayBuffer>,
): Problem | undefined {
  if (!contentType?.toLowerCase().startsWith('application/problem+json')) return undefined
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
